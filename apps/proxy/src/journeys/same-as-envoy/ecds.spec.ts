import { get } from 'node:http';
import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { withPeer } from '@flotilla/testing';
import { TypedExtensionConfigSchema } from '@flotilla/wire/envoy/config/core/v3/extension_pb.js';
import { type Listener, ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { BufferSchema } from '@flotilla/wire/envoy/extensions/filters/http/buffer/v3/buffer_pb.js';
import { HTTPFaultSchema } from '@flotilla/wire/envoy/extensions/filters/http/fault/v3/fault_pb.js';
import { RouterSchema } from '@flotilla/wire/envoy/extensions/filters/http/router/v3/router_pb.js';
import { HttpConnectionManagerSchema } from '@flotilla/wire/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { describe, expect, it } from 'vitest';
import { resource, type ScriptedAds } from '../scripted-ads.ts';
import { feedBoth, listenerWith } from './fed-by-ads.ts';
import { fetchText, type Subject } from './subjects.ts';

/** Of refused updates Envoy counts the whole response for every name in it. */
const COMPARED = /config_reload|update_success/;
const FAULT = `type.googleapis.com/${HTTPFaultSchema.typeName}`;

withPeer('envoy', (program) => {
  describe('a filter whose configuration is discovered', () => {
    it('works as in Envoy', async () => {
      const { envoys, ours } = await feedBoth(program, 'DELTA_GRPC', tour);
      expect(ours).toEqual(envoys);
      expect(ours.seen).toContain('first: impatient 500  NFCF');
      expect(ours.seen).toContain('changed: waits 404 fault_filter_abort FI');
    });
  });
});

async function tour(ads: ScriptedAds, starting: Promise<Subject>) {
  const seen: string[] = [];
  const stream = await ads.stream();
  await stream.request('CDS');
  stream.send('CDS', []);
  await stream.request('LDS');
  stream.send('LDS', [
    resource('waits', '1', ListenerSchema, listener('waits', {})),
    resource('impatient', '1', ListenerSchema, listener('impatient', { timeoutMs: 100 })),
    resource('default', '1', ListenerSchema, listener('default', { fallback: 418 })),
  ]);
  const names = new Set<string>();
  while (names.size < 3) for (const name of (await stream.request('ECDS')).resourceNamesSubscribe) names.add(name);
  seen.push([...names].sort().join());
  let version = 0;
  const send = async (resources: readonly (readonly [string, Any])[], removed: readonly string[] = []) => {
    version += 1;
    stream.send(
      'ECDS',
      resources.map(([name, typedConfig]) =>
        resource(
          name,
          String(version),
          TypedExtensionConfigSchema,
          create(TypedExtensionConfigSchema, { name, typedConfig }),
        ),
      ),
      removed,
    );
    const { errorDetail } = await stream.request('ECDS');
    seen.push(errorDetail === undefined ? 'ACK' : 'NACK');
  };
  await send([['waits', abort(401)]]);
  const subject = await starting;
  const note = async (what: string) => {
    for (const name of ['waits', 'impatient', 'default']) {
      seen.push(`${what}: ${name} ${await ask(subject.ports.get(name) ?? 0)}`);
    }
  };
  await note('first');
  await send([
    ['impatient', abort(402)],
    ['default', abort(403)],
  ]);
  await note('all');
  await send([['waits', abort(404)]]);
  await note('changed');
  await send([['waits', abort(9_999)]]);
  await note('refused');
  await send([['waits', anyPack(BufferSchema, create(BufferSchema, { maxRequestBytes: 1 }))]]);
  await note('another type');
  await send([], ['waits', 'default']);
  await note('removed');
  const stats = (await fetchText(subject.admin, '/stats?filter=extension_config_discovery')).split('\n');
  return { seen, stats: stats.filter((line) => COMPARED.test(line)), dumped: await dumpedFilters(subject.admin) };
}

async function dumpedFilters(admin: number): Promise<unknown[]> {
  const page = JSON.parse(await fetchText(admin, '/config_dump?resource=ecds_filters')) as {
    // Envoy's envoy.admin.v3.EcdsConfigDump.
    configs: { ecds_filter: unknown; version_info: string }[];
  };
  return page.configs.map((each) => [each.ecds_filter, each.version_info]);
}

function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/', agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve(`${response.statusCode} ${body}`));
    }).on('error', reject);
  });
}

function listener(name: string, { timeoutMs = 15_000, fallback = 0 }): Listener {
  const manager = create(HttpConnectionManagerSchema, {
    statPrefix: name,
    httpFilters: [
      {
        name,
        configType: {
          case: 'configDiscovery',
          value: {
            configSource: {
              resourceApiVersion: 2,
              initialFetchTimeout: { seconds: BigInt(Math.floor(timeoutMs / 1000)), nanos: (timeoutMs % 1000) * 1e6 },
              configSourceSpecifier: { case: 'ads', value: {} },
            },
            typeUrls: [FAULT],
            ...(fallback === 0 ? {} : { defaultConfig: abort(fallback), applyDefaultConfigWithoutWarming: true }),
          },
        },
      },
      {
        name: 'envoy.filters.http.router',
        configType: { case: 'typedConfig', value: anyPack(RouterSchema, create(RouterSchema)) },
      },
    ],
    routeSpecifier: {
      case: 'routeConfig',
      value: {
        name: 'table',
        virtualHosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              {
                match: { pathSpecifier: { case: 'prefix', value: '/' } },
                action: { case: 'directResponse', value: { status: 200 } },
              },
            ],
          },
        ],
      },
    },
    localReplyConfig: {
      bodyFormat: {
        format: { case: 'textFormat', value: '%RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS%' },
      },
    },
  });
  return listenerWith(name, manager);
}

function abort(status: number) {
  return anyPack(
    HTTPFaultSchema,
    create(HTTPFaultSchema, {
      abort: { errorType: { case: 'httpStatus', value: status }, percentage: { numerator: 100 } },
    }),
  );
}
