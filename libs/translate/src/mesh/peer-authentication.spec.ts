import { expect, test } from 'vitest';
import { meshOf } from '../testing/translation.ts';
import { portMtls, workloadMtls } from './peer-authentication.ts';

const policy = (name: string, namespace: string, spec: string) => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${spec}`;

const MESH_STRICT = policy('mesh', 'istio-system', '{ mtls: { mode: STRICT } }');
const NAMESPACE_DISABLE = policy('ns', 'default', '{ mtls: { mode: DISABLE } }');
const own = (name: string, spec: string) =>
  policy(name, 'default', `{ selector: { matchLabels: { app: web } }, ${spec} }`);

test.each<[string, string[], string, string]>([
  ['nobody says anything', [], 'PERMISSIVE', 'PERMISSIVE'],
  ['the mesh', [MESH_STRICT], 'STRICT', 'STRICT'],
  ['a namespace over the mesh', [MESH_STRICT, NAMESPACE_DISABLE], 'DISABLE', 'DISABLE'],
  [
    'another namespace does not matter',
    [policy('x', 'other', '{ mtls: { mode: STRICT } }')],
    'PERMISSIVE',
    'PERMISSIVE',
  ],
  ['a workload over its namespace', [NAMESPACE_DISABLE, own('w', 'mtls: { mode: STRICT }')], 'STRICT', 'STRICT'],
  ['UNSET inherits', [MESH_STRICT, own('w', 'mtls: { mode: UNSET }')], 'STRICT', 'STRICT'],
  [
    'a port over its workload',
    [own('w', 'mtls: { mode: STRICT }, portLevelMtls: { "80": { mode: DISABLE } }')],
    'STRICT',
    'DISABLE',
  ],
  ['an UNSET port inherits', [MESH_STRICT, own('w', 'portLevelMtls: { "80": { mode: UNSET } }')], 'STRICT', 'STRICT'],
  [
    'the oldest of two for one workload',
    [own('a', 'mtls: { mode: DISABLE }'), own('b', 'mtls: { mode: STRICT }')],
    'DISABLE',
    'DISABLE',
  ],
  [
    'another workload does not matter',
    [policy('x', 'default', '{ selector: { matchLabels: { app: db } }, mtls: { mode: STRICT } }')],
    'PERMISSIVE',
    'PERMISSIVE',
  ],
])('%s', (_name, policies, mode, atPort80) => {
  const { peerAuthentications } = meshOf(policies.join('\n---'));
  const mtls = workloadMtls(peerAuthentications, { namespace: 'default', labels: { app: 'web' } }, 'istio-system');
  expect([mtls.mode, portMtls(mtls, 80), portMtls(mtls, 81)]).toEqual([mode, atPort80, mode]);
});
