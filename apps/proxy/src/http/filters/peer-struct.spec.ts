import { describe, expect, it } from 'vitest';
import { encodeLocalPeer, PeerDecoder } from './peer-struct.ts';

const node = {
  id: 'sidecar~10.0.0.1~reviews-v2.default~default.svc.cluster.local',
  workload: 'reviews-v2',
  namespace: 'default',
  serviceAccount: 'bookinfo-reviews',
  labels: { version: 'v2', app: 'reviews' },
  cluster: 'Kubernetes',
  meshId: 'mesh',
  trustDomain: 'cluster.local',
};

describe('peer metadata', () => {
  it('comes back as it was sent', () => {
    expect(new PeerDecoder().decode(encodeLocalPeer(node))).toEqual({
      workload: 'reviews-v2',
      namespace: 'default',
      canonicalService: 'reviews',
      canonicalRevision: 'v2',
      app: 'reviews',
      version: 'v2',
      cluster: 'Kubernetes',
    });
  });

  it('is the same bytes whatever order the labels have', () => {
    const turned = { ...node, labels: { app: 'reviews', version: 'v2' } };
    expect(encodeLocalPeer(turned)).toBe(encodeLocalPeer(node));
  });

  it('that was seen before is the same object', () => {
    const decoder = new PeerDecoder();
    const encoded = encodeLocalPeer(node);
    expect(decoder.decode(encoded)).toBe(decoder.decode(`${encoded}`));
  });

  it.each([
    ['nothing', ''],
    ['no base64', '%%%'],
    ['bytes of another make', 'aGVsbG8='],
    ['too much', 'A'.repeat(10_000)],
  ])('that is %s tells nothing wrong', (_name, encoded) => {
    const decoded = new PeerDecoder().decode(encoded);
    expect(decoded === null || decoded.workload === 'unknown').toBe(true);
  });
});
