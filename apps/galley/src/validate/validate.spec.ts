import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { KINDS } from '@flotilla/model';
import type { IstioKind } from '@flotilla/model';
import { decodeDocuments } from '../decode/decode-documents.ts';

/** `field: message` of every fault that a spec has. */
function faultsOf(kind: IstioKind, spec: object): readonly string[] {
  const { group, versions } = KINDS[kind];
  const yaml = stringify({ apiVersion: `${group}/${versions[0]}`, kind, metadata: { name: 'a' }, spec });
  return decodeDocuments([{ source: 'f', yaml }], 'default').findings.map(
    ({ field, message }) => `${field}: ${message}`,
  );
}

type Rows = readonly [behaviour: string, spec: object, expected: readonly string[]][];
const refuses = (kind: IstioKind, rows: Rows): void => {
  describe(kind, () => {
    it.each(rows)('%s', (_, spec, expected) => {
      expect(faultsOf(kind, spec)).toEqual(expected);
    });
  });
};

const to = (host: string, more: object = {}): object => ({ destination: { host }, ...more });
const http = (...routes: readonly object[]): object => ({ hosts: ['a'], http: routes });
const one = (more: object): object => http({ route: [to('b')], ...more });

refuses('VirtualService', [
  [
    'refuses origins that no proxy compares with',
    one({ corsPolicy: { allowOrigins: [{ regex: '*' }, { prefix: '' }, { exact: 'https://a' }] } }),
    [
      'spec.http[0].corsPolicy.allowOrigins[0].regex: "*" is not a regular expression of RE2: missing argument to repetition operator: `*`',
      'spec.http[0].corsPolicy.allowOrigins[1].prefix: the prefix is empty',
    ],
  ],
  [
    'refuses an empty prefix of a header',
    one({ match: [{ headers: { x: { prefix: '' } } }] }),
    ['spec.http[0].match[0].headers.x.prefix: the prefix is empty'],
  ],
  [
    'takes a per cent sign in a header for a command operator',
    one({
      headers: {
        request: { set: { a: '50%', b: '%FOO%', c: '%REQ(x)% 100%%' } },
        response: { add: { d: '%REQ()%', e: '%PROTOCOL:3%' } },
      },
    }),
    [
      'spec.http[0].headers.request.set.a: the per cent sign at position 2 opens no command operator',
      'spec.http[0].headers.request.set.b: unknown command operator %FOO%',
      'spec.http[0].headers.response.add.d: %REQ()% is not understood',
      'spec.http[0].headers.response.add.e: %PROTOCOL% cannot be cut to a length',
    ],
  ],
  [
    'refuses a regular expression past its bound',
    one({ match: [{ uri: { regex: 'a'.repeat(1025) } }, { uri: { regex: 'a'.repeat(1024) } }] }),
    ['spec.http[0].match[0].uri.regex: the regular expression has 1025 bytes, more than the 1024 allowed'],
  ],
  ['accepts a single destination without weight', one({}), []],
  ['accepts weights that do not add up to 100', http({ route: [to('b', { weight: 1 }), to('c', { weight: 2 })] }), []],
  ['accepts a header match by presence', one({ match: [{ headers: { 'x-user': {} } }] }), []],
  ['may have no hosts, for others to delegate to', { http: [{ route: [to('b')] }] }, []],
  [
    'needs hosts for anything but HTTP',
    { tcp: [{ route: [to('b')] }], gateways: ['g'] },
    ['spec.hosts: at least one host is needed', 'spec.gateways: gateways needs hosts', 'spec.tcp: tcp needs hosts'],
  ],
  [
    'delegates one level only',
    { http: [{ delegate: { name: 'x' } }, { delegate: { namespace: 'y' } }] },
    [
      'spec.http[0].delegate: a delegate cannot delegate on',
      'spec.http[1].delegate: a delegate cannot delegate on',
      'spec.http[1].delegate: "name" is missing',
    ],
  ],
  ['needs routes', { hosts: ['a'] }, ['spec: there are no routes']],
  [
    'refuses a host that is none',
    { ...http({ route: [to('b')] }), hosts: ['a_b'] },
    ['spec.hosts[0]: "a_b" is not a host name'],
  ],
  [
    'refuses a host twice',
    { ...http({ route: [to('b')] }), hosts: ['a', 'a'] },
    ['spec.hosts[1]: the host "a" is written twice'],
  ],
  [
    'refuses * without a gateway',
    { ...http({ route: [to('b')] }), hosts: ['*'] },
    ['spec.hosts[0]: the host * needs a gateway'],
  ],
  ['accepts * at a gateway', { ...http({ route: [to('b')] }), hosts: ['*'], gateways: ['g', 'ns/g'] }, []],
  [
    'refuses a gateway’s bad name',
    { ...http({ route: [to('b')] }), gateways: ['a/b/c'] },
    ['spec.gateways[0]: "a/b/c" is not the name of a gateway'],
  ],
  [
    'refuses exportTo that contradicts itself',
    { ...http({ route: [to('b')] }), exportTo: ['*', '.', 'A'] },
    ['spec.exportTo[2]: "A" is not a namespace', 'spec.exportTo: neither * nor ~ can stand beside other entries'],
  ],
  ['refuses a route that does nothing', http({}), ['spec.http[0]: the route says nothing to do with requests']],
  [
    'refuses a destination without host',
    http({ route: [{ weight: 1 }, { destination: { subset: 'v1' } }] }),
    [
      'spec.http[0].route[0].destination: "destination" is missing',
      'spec.http[0].route[1].destination.host: "host" is missing',
    ],
  ],
  ['refuses weights of zero', http({ route: [to('b'), to('c')] }), ['spec.http[0].route: the weights add up to 0']],
  [
    'refuses a negative weight',
    http({ route: [to('b', { weight: -1 }), to('c', { weight: 2 })] }),
    ['spec.http[0].route[0].weight: must be 0 or more, but is -1'],
  ],
  [
    'refuses a destination’s bad port',
    http({ route: [{ destination: { host: 'b', port: { number: 70000 } } }] }),
    ['spec.http[0].route[0].destination.port.number: must be a port between 1 and 65535, but is 70000'],
  ],
  [
    'refuses redirect beside route',
    one({ redirect: { uri: '/x' } }),
    ['spec.http[0].redirect: route and redirect exclude each other'],
  ],
  [
    'refuses a bad redirect',
    http({ redirect: { redirectCode: 200, scheme: 'ftp' } }),
    ['spec.http[0].redirect.redirectCode: 200 does not redirect', 'spec.http[0].redirect.scheme: unknown scheme "ftp"'],
  ],
  [
    'refuses an empty redirect',
    http({ redirect: {} }),
    ['spec.http[0].redirect: the redirect leads back to where it came from'],
  ],
  [
    'refuses a bad direct response',
    http({ directResponse: { status: 99, body: {} } }),
    [
      'spec.http[0].directResponse.status: must be a status between 200 and 599, but is 99',
      'spec.http[0].directResponse.body: is empty',
    ],
  ],
  ['refuses an empty rewrite', one({ rewrite: {} }), ['spec.http[0].rewrite: rewrites nothing']],
  [
    'refuses a rewrite with an unknown group',
    one({ rewrite: { uriRegexRewrite: { match: '/a', rewrite: '\\1' } } }),
    [expect.stringMatching(/^spec\.http\[0\]\.rewrite\.uriRegexRewrite\.rewrite: /) as unknown as string],
  ],
  [
    'refuses what RE2 cannot do',
    one({ match: [{ uri: { regex: '(?=a)' } }] }),
    [
      expect.stringMatching(
        /^spec\.http\[0\]\.match\[0\]\.uri\.regex: "\(\?=a\)" is not a regular expression of RE2/,
      ) as unknown as string,
    ],
  ],
  [
    'refuses a match that says nothing',
    one({ match: [{ uri: {} }] }),
    ['spec.http[0].match[0].uri: says nothing to compare with'],
  ],
  [
    'refuses a header’s bad name',
    one({ match: [{ headers: { 'a b': { exact: 'c' } } }] }),
    ['spec.http[0].match[0].headers["a b"]: "a b" is not the name of a header'],
  ],
  [
    'refuses to match claims yet',
    one({ match: [{ headers: { '@request.auth.claims.sub': { exact: 'c' } } }] }),
    ['spec.http[0].match[0].headers["@request.auth.claims.sub"]: matching claims of a token is not supported yet'],
  ],
  [
    'refuses header operations that cannot be',
    one({ headers: { request: { set: { 'a:b': 'c', x: 'a\nb' }, remove: [':path'] } } }),
    [
      'spec.http[0].headers.request.set["a:b"]: "a:b" is not the name of a header that can be changed',
      'spec.http[0].headers.request.set.x: the value has control characters in it',
      'spec.http[0].headers.request.remove[0]: ":path" is not the name of a header that can be changed',
    ],
  ],
  ['refuses a timeout of nothing', one({ timeout: '0.1ms' }), ['spec.http[0].timeout: must be at least 1ms']],
  [
    'refuses bad retries',
    one({ retries: { attempts: -1, perTryTimeout: '0s', retryOn: '5xx,connect-failur, 503' } }),
    [
      'spec.http[0].retries.attempts: must be 0 or more, but is -1',
      'spec.http[0].retries.perTryTimeout: must be at least 1ms',
      'spec.http[0].retries.retryOn: unknown condition "connect-failur"',
    ],
  ],
  [
    'refuses conditions for no retries',
    one({ retries: { attempts: 0, retryOn: '5xx' } }),
    ['spec.http[0].retries: attempts is 0, which means no retries, and the other fields say how to retry'],
  ],
  [
    'refuses bad faults',
    one({ fault: { delay: { percentage: { value: 101 } }, abort: { httpStatus: 600, percentage: { value: -1 } } } }),
    [
      'spec.http[0].fault.delay.percentage.value: must lie between 0 and 100, but is 101',
      'spec.http[0].fault.delay: does not say how long',
      'spec.http[0].fault.abort.percentage.value: must lie between 0 and 100, but is -1',
      'spec.http[0].fault.abort.httpStatus: must be a status between 200 and 599, but is 600',
    ],
  ],
  [
    'refuses an unknown gRPC status',
    one({ fault: { abort: { grpcStatus: 'UNAVAILABEL' } } }),
    ['spec.http[0].fault.abort.grpcStatus: unknown status "UNAVAILABEL"'],
  ],
  [
    'refuses mirror beside mirrors',
    one({ mirror: { host: 'c' }, mirrors: [to('d')] }),
    ['spec.http[0].mirrors: mirror and mirrors exclude each other'],
  ],
  [
    'warns of rules that are never reached',
    http({ route: [to('b')] }, { match: [{ uri: { prefix: '/a' } }], route: [to('c')] }),
    ['spec.http[0]: the routes after this one are never reached, since it matches every request'],
  ],
  [
    'refuses a TCP route without destination',
    { hosts: ['a'], tcp: [{ match: [{ port: 0 }] }] },
    ['spec.tcp[0]: the route has no destination'],
  ],
]);

refuses('DestinationRule', [
  [
    'accepts subsets and policies',
    {
      host: 'a',
      subsets: [{ name: 'v1', labels: { version: 'v1' } }],
      trafficPolicy: { loadBalancer: { simple: 'RANDOM' } },
    },
    [],
  ],
  ['needs a host', {}, ['spec.host: "host" is missing']],
  [
    'refuses a subset without name',
    { host: 'a', subsets: [{ labels: {} }] },
    ['spec.subsets[0].name: a subset needs a name'],
  ],
  [
    'refuses a subset twice',
    { host: 'a', subsets: [{ name: 'v1' }, { name: 'v1' }] },
    ['spec.subsets[1].name: the subset name "v1" is written twice'],
  ],
  [
    'takes shares of traffic by place',
    {
      host: 'a',
      trafficPolicy: {
        loadBalancer: { localityLbSetting: { distribute: [{ from: 'eu/a/*', to: { 'eu/a/*': 80, eu: 20 } }] } },
        retryBudget: { percent: 20, minRetryConcurrency: 5 },
      },
    },
    [],
  ],
  [
    'refuses places and shares that cannot be',
    {
      host: 'a',
      trafficPolicy: {
        loadBalancer: {
          localityLbSetting: {
            distribute: [{ from: 'eu/*/x', to: { 'eu/a': 80, 'us//b': 30 } }],
            failover: [{ from: 'eu', to: 'eu' }],
            failoverPriority: ['topology.kubernetes.io/region'],
          },
        },
        retryBudget: { percent: 120 },
      },
    },
    [
      'spec.trafficPolicy.loadBalancer.localityLbSetting.distribute: distribute and failover exclude each other',
      'spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].from: "eu/*/x" is not a place',
      'spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to["us//b"]: "us//b" is not a place',
      'spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to: shares must add up to 100, but do to 110',
      'spec.trafficPolicy.loadBalancer.localityLbSetting.failover[0].to: a region cannot fail over to itself',
      'spec.trafficPolicy.loadBalancer.localityLbSetting.failoverPriority[0]: "topology.kubernetes.io/region" and failover exclude each other',
      'spec.trafficPolicy.retryBudget.percent: must lie between 0 and 100, but is 120',
    ],
  ],
  [
    'refuses a warm-up that cannot be',
    {
      host: 'a',
      trafficPolicy: { loadBalancer: { simple: 'RANDOM', warmup: { minimumPercent: 101, aggression: 0.5 } } },
    },
    [
      'spec.trafficPolicy.loadBalancer.warmup: is for ROUND_ROBIN and LEAST_REQUEST only',
      'spec.trafficPolicy.loadBalancer.warmup: "duration" is missing',
      'spec.trafficPolicy.loadBalancer.warmup.minimumPercent: must lie between 0 and 100, but is 101',
      'spec.trafficPolicy.loadBalancer.warmup.aggression: must be 1 or more, but is 0.5',
    ],
  ],
  ['refuses an empty policy', { host: 'a', trafficPolicy: {} }, ['spec.trafficPolicy: the traffic policy is empty']],
  [
    'refuses negative limits',
    {
      host: 'a',
      trafficPolicy: { connectionPool: { tcp: { maxConnections: -1 }, http: { maxRetries: -1, idleTimeout: '0s' } } },
    },
    [
      'spec.trafficPolicy.connectionPool.tcp.maxConnections: must be 0 or more, but is -1',
      'spec.trafficPolicy.connectionPool.http.maxRetries: must be 0 or more, but is -1',
      'spec.trafficPolicy.connectionPool.http.idleTimeout: must be at least 1ms',
    ],
  ],
  [
    'needs a key for mutual TLS',
    { host: 'a', trafficPolicy: { tls: { mode: 'MUTUAL', clientCertificate: '/c.pem' } } },
    ['spec.trafficPolicy.tls: mode MUTUAL needs privateKey'],
  ],
  [
    'refuses other certificates for the mesh’s TLS',
    {
      host: 'a',
      subsets: [{ name: 'v1', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL', caCertificates: '/c.pem' } } }],
    },
    ['spec.subsets[0].trafficPolicy.tls.caCertificates: mode ISTIO_MUTUAL brings its own caCertificates'],
  ],
  [
    'refuses settings for one port twice',
    { host: 'a', trafficPolicy: { portLevelSettings: [{ port: { number: 80 } }, { port: { number: 80 } }, {}] } },
    [
      'spec.trafficPolicy.portLevelSettings[1].port: port 80 has settings before',
      'spec.trafficPolicy.portLevelSettings[2].port: "port" is missing',
    ],
  ],
]);

const server = (port: object, more: object = {}): object => ({ servers: [{ port, hosts: ['*'], ...more }] });
const httpPort = { number: 80, name: 'http', protocol: 'HTTP' };
const httpsPort = { number: 443, name: 'https', protocol: 'HTTPS' };

refuses('Gateway', [
  ['accepts HTTP that redirects', server(httpPort, { tls: { httpsRedirect: true } }), []],
  [
    'accepts HTTPS with files',
    server(httpsPort, { tls: { mode: 'SIMPLE', serverCertificate: '/c', privateKey: '/k' } }),
    [],
  ],
  ['needs servers', {}, ['spec.servers: a gateway needs at least one server']],
  [
    'needs hosts, port and protocol',
    { servers: [{}, { hosts: ['a'], port: { number: 80 } }] },
    [
      'spec.servers[0].hosts: a server needs at least one host',
      'spec.servers[0].port: "port" is missing',
      'spec.servers[1].port: a port needs a name',
      'spec.servers[1].port: a port needs a protocol',
    ],
  ],
  [
    'refuses an unknown protocol',
    server({ ...httpPort, protocol: 'HTTPX' }),
    ['spec.servers[0].port.protocol: unknown protocol "HTTPX"'],
  ],
  [
    'refuses protocols that it cannot serve yet',
    server({ ...httpPort, protocol: 'TCP' }),
    ['spec.servers[0].port.protocol: gateways do not serve "TCP" yet'],
  ],
  [
    'refuses a port’s name twice',
    {
      servers: [
        { port: httpPort, hosts: ['a'] },
        { port: httpPort, hosts: ['b'] },
      ],
    },
    ['spec.servers[1].port.name: the port name "http" is written twice'],
  ],
  [
    'refuses a bad host',
    { servers: [{ port: httpPort, hosts: ['A B', '*/ok.com', 'N/x'] }] },
    ['spec.servers[0].hosts[0]: "A B" is not a host name', 'spec.servers[0].hosts[2]: "N" is not a namespace'],
  ],
  [
    'refuses TLS settings for HTTP',
    server(httpPort, { tls: { mode: 'SIMPLE' } }),
    ['spec.servers[0].tls: a server of protocol HTTP has no TLS'],
  ],
  ['needs tls for HTTPS', server(httpsPort), ['spec.servers[0].tls: a server of protocol HTTPS needs tls']],
  [
    'needs certificates',
    server(httpsPort, { tls: { mode: 'MUTUAL', serverCertificate: '/c' } }),
    ['spec.servers[0].tls: mode MUTUAL needs privateKey', 'spec.servers[0].tls: mode MUTUAL needs caCertificates'],
  ],
  [
    'refuses TLS without a mode yet',
    server(httpsPort, { tls: {} }),
    ['spec.servers[0].tls.mode: the mode PASSTHROUGH, which no mode means, is not supported yet'],
  ],
  [
    'refuses versions and ciphers that cannot be',
    server(httpsPort, {
      tls: {
        mode: 'SIMPLE',
        serverCertificate: '/c',
        privateKey: '/k',
        minProtocolVersion: 'TLSV1_3',
        maxProtocolVersion: 'TLSV1_2',
        cipherSuites: ['RC4'],
      },
    }),
    [
      'spec.servers[0].tls.minProtocolVersion: is above maxProtocolVersion TLSV1_2',
      'spec.servers[0].tls.cipherSuites[0]: unknown cipher suite "RC4"',
    ],
  ],
]);

const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }];
const entry = (more: object): object => ({ hosts: ['db.example.com'], ports, ...more });

refuses('ServiceEntry', [
  [
    'accepts addresses behind a name',
    entry({ resolution: 'STATIC', endpoints: [{ address: '10.0.0.1', ports: { http: 8080 } }] }),
    [],
  ],
  ['accepts a wildcard without resolution', entry({ hosts: ['*.example.com'], resolution: 'NONE' }), []],
  ['needs hosts', { ports }, ['spec.hosts: at least one host is needed']],
  ['refuses every host', entry({ hosts: ['*'] }), ['spec.hosts[0]: the host * would stand for every host there is']],
  ['warns of no ports', { hosts: ['a.b'] }, ['spec: without ports, the hosts cannot be reached']],
  [
    'refuses ports that clash',
    entry({ ports: [...ports, ...ports] }),
    [
      'spec.ports[1].name: the port name "http" is written twice',
      'spec.ports[1].number: the port "80" is written twice',
    ],
  ],
  [
    'refuses endpoints without resolution',
    entry({ endpoints: [{ address: '10.0.0.1' }] }),
    ['spec.endpoints: resolution NONE keeps the address of the caller, so that endpoints mean nothing'],
  ],
  [
    'refuses names as static endpoints',
    entry({ resolution: 'STATIC', endpoints: [{ address: 'db.local' }] }),
    ['spec.endpoints[0].address: resolution STATIC needs an IP address, but this is "db.local"'],
  ],
  [
    'refuses to look up a wildcard',
    entry({ hosts: ['*.example.com'], resolution: 'DNS' }),
    ['spec.hosts[0]: resolution DNS cannot look up a wildcard'],
  ],
  [
    'refuses several endpoints for round robin',
    entry({ resolution: 'DNS_ROUND_ROBIN', endpoints: [{ address: 'a.b' }, { address: 'c.d' }] }),
    ['spec.endpoints: resolution DNS_ROUND_ROBIN allows one endpoint at most'],
  ],
  [
    'refuses an endpoint’s unknown port',
    entry({ resolution: 'DNS', endpoints: [{ address: 'a.b', ports: { grpc: 1 } }] }),
    ['spec.endpoints[0].ports.grpc: the ServiceEntry has no port named "grpc"'],
  ],
  [
    'refuses addresses that are none',
    entry({ addresses: ['10.0.0.300', '10.0.0.0/8'], resolution: 'DNS' }),
    [
      'spec.addresses[0]: "10.0.0.300" is neither an IP address nor a range of them',
      'spec.addresses[1]: a range of addresses needs the resolution NONE or STATIC',
    ],
  ],
  [
    'refuses endpoints beside a selector',
    entry({ resolution: 'STATIC', endpoints: [{ address: '10.0.0.1' }], workloadSelector: { labels: { app: 'a' } } }),
    ['spec.workloadSelector: endpoints and workloadSelector exclude each other'],
  ],
]);

refuses('WorkloadEntry', [
  [
    'accepts an address with ports',
    { address: '127.0.0.1', ports: { http: 21001 }, labels: { app: 'a' }, serviceAccount: 'a' },
    [],
  ],
  ['needs an address', {}, ['spec.address: "address" is missing']],
  [
    'refuses an address that is none',
    { address: '1.2.3.4:80' },
    ['spec.address: "1.2.3.4:80" is neither an IP address nor a host name'],
  ],
  [
    'refuses a Unix socket’s relative path and ports',
    { address: 'unix://a', ports: { http: 1 } },
    ['spec.address: the path of a Unix socket must be absolute', 'spec.ports: a Unix socket has no ports'],
  ],
  [
    'refuses bad ports and labels',
    { address: 'a.b', ports: { http: 0 }, labels: { 'a b': 'c d' } },
    [
      'spec.ports.http: must be a port between 1 and 65535, but is 0',
      'spec.labels["a b"]: "a b" is not a label',
      'spec.labels["a b"]: "c d" is not the value of a label',
    ],
  ],
]);

refuses('Sidecar', [
  [
    'accepts listeners',
    {
      egress: [
        { port: { number: 9080, protocol: 'HTTP', name: 'a' }, bind: '127.0.0.1', captureMode: 'NONE', hosts: ['./*'] },
        { hosts: ['*/*', '~/*'] },
      ],
    },
    [],
  ],
  ['refuses to change nothing', {}, ['spec: the Sidecar changes nothing']],
  [
    'needs a namespace for hosts',
    { egress: [{ hosts: ['reviews'] }] },
    ['spec.egress[0].hosts[0]: "reviews" has no namespace'],
  ],
  ['needs hosts', { egress: [{}] }, ['spec.egress[0].hosts: at least one host is needed']],
  [
    'wants the listener without a port last',
    { egress: [{ hosts: ['*/*'] }, { hosts: ['*/*'], port: { number: 80, protocol: 'HTTP' } }] },
    ['spec.egress[0]: a listener without a port takes what is left, so it must be the last'],
  ],
]);

refuses('PeerAuthentication', [
  [
    'accepts modes per port with a selector',
    { selector: { matchLabels: { app: 'a' } }, portLevelMtls: { 8080: { mode: 'DISABLE' } } },
    [],
  ],
  [
    'refuses modes per port without one',
    { portLevelMtls: { 8080: { mode: 'DISABLE' } } },
    ['spec.portLevelMtls: settings per port need a selector, since workloads differ in their ports'],
  ],
  [
    'refuses a bad port',
    { selector: { matchLabels: { app: 'a' } }, portLevelMtls: { 0: {} } },
    ['spec.portLevelMtls.0: must be a port between 1 and 65535, but is 0'],
  ],
]);

const policy = (trafficPolicy: object): object => ({ host: 'a', trafficPolicy });
const hash = (more: object): object => policy({ loadBalancer: { consistentHash: { useSourceIp: true, ...more } } });

refuses('DestinationRule', [
  [
    'refuses shares past 100',
    policy({ outlierDetection: { maxEjectionPercent: 105, minHealthPercent: 101 } }),
    [
      'spec.trafficPolicy.outlierDetection.maxEjectionPercent: must lie between 0 and 100, but is 105',
      'spec.trafficPolicy.outlierDetection.minHealthPercent: must lie between 0 and 100, but is 101',
    ],
  ],
  [
    'refuses a table of a size that is no prime',
    hash({ maglev: { tableSize: 65536 } }),
    ['spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize: must be a prime number, but is 65536'],
  ],
  ['accepts a prime', hash({ maglev: { tableSize: 65537 } }), []],
  [
    'refuses a ring past its bound',
    hash({ ringHash: { minimumRingSize: 8388609 } }),
    [
      'spec.trafficPolicy.loadBalancer.consistentHash.ringHash.minimumRingSize: must be at most 8388608, but is 8388609',
    ],
  ],
  [
    'refuses keep-alive that waits for ever',
    policy({ connectionPool: { http: { http2KeepAlive: { interval: '10s' } } } }),
    ['spec.trafficPolicy.connectionPool.http.http2KeepAlive: "timeout" is missing'],
  ],
  [
    'refuses keep-alive past what a kernel counts',
    policy({ connectionPool: { tcp: { tcpKeepalive: { time: '9999999999s' } } } }),
    ['spec.trafficPolicy.connectionPool.tcp.tcpKeepalive.time: must lie between 1s and 4294967295s'],
  ],
]);
