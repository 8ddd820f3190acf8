import { create, toJson } from '@bufbuild/protobuf';
import { MeshConfigSchema } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { describe, expect, it } from 'vitest';
import { formatFinding } from '../finding.ts';
import { decodeMeshConfig } from './mesh-config.ts';

const faultsOf = (text: string): readonly string[] =>
  decodeMeshConfig(text, 'mesh.yaml').findings.map((finding) => formatFinding(finding));

describe('decodeMeshConfig', () => {
  it('takes an empty file for Istio’s defaults', () => {
    expect(decodeMeshConfig('# nothing\n', 'mesh.yaml')).toEqual({ config: create(MeshConfigSchema), findings: [] });
  });

  it('reads the fields that are honoured', () => {
    const text = [
      'trustDomain: example.org',
      'connectTimeout: 1m',
      'outboundTrafficPolicy: {mode: REGISTRY_ONLY}',
      'enableAutoMtls: false',
      'accessLogFile: /dev/stdout',
      'accessLogEncoding: JSON',
      'defaultVirtualServiceExportTo: ["."]',
      'defaultHttpRetryPolicy: {attempts: 0}',
    ];
    const { config, findings } = decodeMeshConfig(text.join('\n'), 'mesh.yaml');
    expect(findings).toEqual([]);
    expect(toJson(MeshConfigSchema, config ?? create(MeshConfigSchema))).toEqual({
      trustDomain: 'example.org',
      connectTimeout: '60s',
      outboundTrafficPolicy: {}, // REGISTRY_ONLY is the zero of its enum
      enableAutoMtls: false,
      accessLogFile: '/dev/stdout',
      accessLogEncoding: 'JSON',
      defaultVirtualServiceExportTo: ['.'],
      defaultHttpRetryPolicy: {},
    });
  });

  it('accepts the file that Istio’s installer writes', () => {
    const text = [
      'defaultConfig:',
      '  discoveryAddress: istiod.istio-system.svc:15012',
      'defaultProviders:',
      '  metrics:',
      '  - prometheus',
      'enablePrometheusMerge: true',
      'rootNamespace: null',
      'trustDomain: cluster.local',
    ];
    expect(faultsOf(text.join('\n'))).toEqual([]);
  });

  it.each([
    [
      'an unknown field',
      'trustDomian: a\n',
      'mesh.yaml:1:1: error IST0106: trustDomian: unknown field "trustDomian". Did you mean "trustDomain"?',
    ],
    [
      'a field not honoured yet',
      'enableTracing: true\ndefaultConfig:\n  statusPort: 1\n',
      'mesh.yaml:3:3: error FLT0002: defaultConfig.statusPort: this field is not supported yet. Remove it. If it were ignored, proxies would run with the default.',
    ],
    [
      'a mode not honoured yet',
      'outboundTrafficPolicy:\n  mode: ALLOW_ANY_DYNAMIC_DNS\n',
      'mesh.yaml:2:9: error FLT0002: outboundTrafficPolicy.mode: "ALLOW_ANY_DYNAMIC_DNS" is not supported yet. Remove it. If it were ignored, unknown hosts could be reached by address only.',
    ],
    ['a bad value', 'connectTimeout: 0s\n', 'mesh.yaml:1:17: error IST0106: connectTimeout: must be at least 1ms'],
    [
      'a second document',
      'trustDomain: a\n---\ntrustDomain: b\n',
      'mesh.yaml:3:1: error IST0106: a mesh configuration is one document, and here a second one begins',
    ],
  ])('refuses %s', (_, text, expected) => {
    expect(faultsOf(text)).toEqual([expected]);
    expect(decodeMeshConfig(text, 'mesh.yaml').config).toBeNull();
  });
});
