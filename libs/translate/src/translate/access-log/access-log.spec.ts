import { create, toJson } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { AccessLogSchema } from '@flotilla/wire/envoy/config/accesslog/v3/accesslog_pb.js';
import { FileAccessLogSchema } from '@flotilla/wire/envoy/extensions/access_loggers/file/v3/file_pb.js';
import { StdoutAccessLogSchema } from '@flotilla/wire/envoy/extensions/access_loggers/stream/v3/stream_pb.js';
import { MeshConfig_AccessLogEncoding as Encoding } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { meshDefaults } from '../../mesh/settings.ts';
import { meshConfig } from '../../testing/nodes.ts';
import { accessLogs } from './access-log.ts';

function logOf(fields: Parameters<typeof meshConfig>[0]) {
  const config = meshDefaults(meshConfig(fields));
  const [log] = accessLogs({ config, trustDomain: '', domainSuffix: '', rootNamespace: '', clusterId: '' });
  const { configType } = create(AccessLogSchema, log);
  const any = configType.value ?? expect.fail('no access log');
  const file = anyUnpack(any, FileAccessLogSchema);
  const stdout = anyUnpack(any, StdoutAccessLogSchema);
  if (file !== undefined) return toJson(FileAccessLogSchema, file);
  return stdout === undefined ? null : toJson(StdoutAccessLogSchema, stdout);
}

test('is off without a file', () => {
  expect(
    accessLogs({
      config: meshDefaults(meshConfig({})),
      trustDomain: '',
      domainSuffix: '',
      rootNamespace: '',
      clusterId: '',
    }),
  ).toEqual([]);
});

test('has the 24 operators of the default format, to standard output as a stream', () => {
  const log = JSON.stringify(logOf({ accessLogFile: '/dev/stdout' }));
  expect(log).not.toContain('/dev/stdout');
  expect(log.match(/%[A-Z_]+(\([^)]*\))?%/g)).toHaveLength(24);
  expect(log).toContain('[%START_TIME%] \\"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\\"');
});

test('is JSON with the same fields when asked for', () => {
  const log = logOf({ accessLogFile: '/var/log/a', accessLogEncoding: Encoding.JSON });
  expect(log).toMatchObject({ path: '/var/log/a', logFormat: { jsonFormat: { route_name: '%ROUTE_NAME%' } } });
});

test('takes a format of the mesh, ending its line', () => {
  expect(logOf({ accessLogFile: '/a', accessLogFormat: '%PROTOCOL%' })).toMatchObject({
    logFormat: { textFormatSource: { inlineString: '%PROTOCOL%\n' } },
  });
  const fields = '{"code": "%RESPONSE_CODE%"}';
  expect(logOf({ accessLogFile: '/a', accessLogFormat: fields, accessLogEncoding: Encoding.JSON })).toMatchObject({
    logFormat: { jsonFormat: { code: '%RESPONSE_CODE%' } },
  });
});

test('is refused at the start when it should be JSON and is not', () => {
  const read = (accessLogFormat: string) => () =>
    meshDefaults(meshConfig({ accessLogFormat, accessLogEncoding: Encoding.JSON }));
  expect(read('%PROTOCOL%')).toThrow(/^accessLogFormat of the mesh configuration is not JSON: SyntaxError/);
  expect(read('["%PROTOCOL%"]')).toThrow('is not a JSON object');
});
