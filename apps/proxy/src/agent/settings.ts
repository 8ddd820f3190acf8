import { isIP } from 'node:net';
import { identitySettings, spiffeIdSetting } from '@flotilla/service/identity';
import * as settings from '@flotilla/service/settings';
import { FlotillaError } from '@flotilla/runtime';

/** A port of a workload as it is written: `name=http,port=9080,bind=21001,app=21002`. */
export interface PortSetting {
  readonly name: string;
  readonly port: number;
  /** Where the proxy listens for it. Default: `port`. */
  readonly bind: number;
  /** Where the application listens on loopback; 0 for gateways. */
  readonly app: number;
}

/** What the proxy of a mesh workload, or a gateway, is told when it starts. */
export const agentSettings = {
  type: settings.oneOf(['sidecar', 'router'], { description: 'beside a workload, or a gateway', standard: 'sidecar' }),
  workload: settings.text({ description: 'name of the workload', form: 'name' }),
  ...identitySettings({ namespace: 'default', serviceAccount: 'default' }),
  label: settings.list(
    settings.single<readonly [string, string]>('name=value', { description: 'label of the workload' }, labelOf),
  ),
  ip: settings.list(
    settings.single(
      'address',
      {
        description:
          "address under which others reach the workload, first the one to register; default: this machine's",
      },
      addressOf,
    ),
  ),
  port: settings.list(
    settings.single<PortSetting>(
      'name=http,port=9080,bind=21001,app=21002',
      {
        description:
          'port whose place differs from the declared one; in the variable fields are separated by semicolons',
      },
      portOf,
    ),
  ),
  interception: settings.oneOf(['none', 'redirect'], {
    description: 'how traffic comes to the proxy: addressed to it, or redirected by "flotilla capture"',
    standard: 'none',
  }),
  httpProxyPort: settings.optional(
    settings.integer({ description: 'forward-proxy port on loopback for the application', min: 1, max: 65_535 }),
  ),
  discovery: settings.list(settings.address({ description: "pilot's xDS port with TLS; several are tried in turn" })),
  discoveryIdentity: settings.optional(
    spiffeIdSetting('identity of pilot; default: pilot in istio-system of the trust domain'),
  ),
  admin: settings.address({ description: "administration: Envoy's pages", standard: '127.0.0.1:15000' }),
  statusAddress: settings.optional(
    settings.address({
      description: 'for probes and Prometheus: /healthz/ready, /readyz, /healthz, /metrics; empty for none',
      standard: '0.0.0.0:15021',
    }),
  ),
  httpHosts: settings.httpHostsSetting,
  allowPlaintext: settings.allowPlaintextSetting('administration'),
  envoy: settings.optional(settings.path({ description: 'run this stock Envoy in place of the own data plane' })),
  concurrency: settings.integer({ description: 'worker threads of stock Envoy', standard: '1', min: 1, max: 1024 }),
  noticeTime: settings.optional(
    settings.duration({
      description:
        'how long ports stay open after pilot was told that the proxy goes, so that clients hear of it; default: 1s, and 5s for a router, whose clients hear of it by probes',
    }),
  ),
  drainTime: settings.duration({ description: 'how long requests may go on while it stops', standard: '5s' }),
  logLevel: settings.oneOf(['debug', 'info', 'warn', 'error'], { description: 'least level', standard: 'info' }),
  logFormat: settings.oneOf(['json', 'pretty'], { description: 'form of the log', standard: 'json' }),
  ...settings.logFileSettings,
};

export type AgentSettings = settings.SettingsOf<typeof agentSettings>;

function addressOf(text: string): string {
  if (isIP(text) !== 0) return text;
  throw new FlotillaError('invalid', `"${text}" is not an IP address`);
}

function labelOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new FlotillaError('invalid', `"${text}" is not a label`, { hint: 'Write name=value.' });
  return [text.slice(0, at), text.slice(at + 1)];
}

const PORT_FIELDS = ['name', 'port', 'bind', 'app'];

function portOf(text: string): PortSetting {
  const fields = new Map(text.split(/[,;]/).map((field) => labelOf(field)));
  const unknown = [...fields.keys()].find((name) => !PORT_FIELDS.includes(name));
  if (unknown !== undefined) throw portFault(text, `"${unknown}" is not a field of it`);
  const name = fields.get('name');
  if (name === undefined || !fields.has('port')) throw portFault(text, 'it needs name and port');
  const number = (field: string, standard: number): number => {
    const value = fields.get(field);
    if (value === undefined) return standard;
    const port = Number(value);
    if (value !== '' && Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
    throw portFault(text, `${field} is no port number`);
  };
  const port = number('port', 0);
  return { name, port, bind: number('bind', port), app: number('app', 0) };
}

function portFault(text: string, why: string): FlotillaError {
  return new FlotillaError('invalid', `"${text}" is not a port: ${why}`, {
    hint: 'Write name=http,port=9080,bind=21001,app=21002.',
  });
}
