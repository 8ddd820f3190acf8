import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAULT_CODES } from '@flotilla/model';
import { withPeer } from '@flotilla/testing';
import { decodeDocuments } from '../decode/decode-documents.ts';

const EXPOSE = 'multicluster/expose';

/** Every sample that is not accepted as it is, with what is refused in it. All others are accepted. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  'bookinfo/gateway-api/bookinfo-gateway.yaml': ['Gateway: the Gateway API', 'HTTPRoute: the Gateway API'],
  'bookinfo/gateway-api/route-all-v1.yaml': Array<string>(4).fill('HTTPRoute: the Gateway API'),
  'bookinfo/gateway-api/route-reviews-50-v3.yaml': ['HTTPRoute: the Gateway API'],
  'bookinfo/gateway-api/route-reviews-90-10.yaml': ['HTTPRoute: the Gateway API'],
  'bookinfo/gateway-api/route-reviews-v1.yaml': ['HTTPRoute: the Gateway API'],
  'bookinfo/gateway-api/route-reviews-v3.yaml': ['HTTPRoute: the Gateway API'],
  'bookinfo/policy/productpage_envoy_ratelimit.yaml': ['EnvoyFilter is not enforced', 'EnvoyFilter is not enforced'],
  'helloworld/gateway-api/helloworld-gateway.yaml': ['Gateway: the Gateway API', 'HTTPRoute: the Gateway API'],
  'helloworld/gateway-api/helloworld-route.yaml': ['HTTPRoute: the Gateway API'],
  'httpbin/gateway-api/httpbin-gateway.yaml': ['Gateway: the Gateway API', 'HTTPRoute: the Gateway API'],
  [`${EXPOSE}-istiod-https.yaml`]: [
    'spec.servers[0].tls.credentialName: this field',
    'spec.servers[1].tls.credentialName: this field',
  ],
  [`${EXPOSE}-istiod.yaml`]: [
    'spec.servers[0].tls.mode: the mode PASSTHROUGH',
    'spec.servers[1].tls.mode: the mode PASSTHROUGH',
    'spec.tls: this field',
  ],
  [`${EXPOSE}-services.yaml`]: ['spec.servers[0].tls.mode: "AUTO_PASSTHROUGH"'],
  // Configures an installation, not the mesh.
  'open-telemetry/loki/iop.yaml': ['unknown kind IstioOperator'],
  'open-telemetry/loki/telemetry.yaml': ['Telemetry is not enforced'],
  'open-telemetry/tracing/telemetry.yaml': ['Telemetry is not enforced'],
  'ratelimit/local-rate-limit-service.yaml': ['EnvoyFilter is not enforced'],
  'tcp-echo/gateway-api/tcp-echo-20-v2.yaml': ['TCPRoute: the Gateway API'],
  'tcp-echo/gateway-api/tcp-echo-all-v1.yaml': ['Gateway: the Gateway API', 'TCPRoute: the Gateway API'],
  'tcp-echo/tcp-echo-all-v1.yaml': ['spec.servers[0].port.protocol: gateways do not serve "TCP"'],
};

withPeer('corpus', (corpus) =>
  describe("Istio's samples", () => {
    const samples = join(corpus, 'istio-samples');
    const files = globSync('**/*.yaml', { cwd: samples }).sort();
    const decodeFile = (file: string): ReturnType<typeof decodeDocuments> =>
      decodeDocuments([{ source: file, yaml: readFileSync(join(samples, file), 'utf8') }], 'default');

    it.each(files)('%s is accepted, or refused by name', (file) => {
      const errors = decodeFile(file).findings.filter((finding) => finding.severity === 'error');
      const texts = errors.map(({ field, message }) => (field === 'kind' ? message : `${field}: ${message}`));
      const expected = REFUSED[file] ?? [];
      expect(texts.map((text, index) => text.slice(0, expected[index]?.length ?? 0))).toEqual(expected);
      for (const { code } of errors) expect([FAULT_CODES.unsupported, FAULT_CODES.unknownKind]).toContain(code);
    });

    it('reads all of Bookinfo, and ignores nothing of it', () => {
      const { candidates, ignored } = decodeFile('bookinfo/platform/kube/bookinfo.yaml');
      expect(ignored).toEqual([]);
      expect(
        candidates
          .map(({ content }) => content.key.kind)
          .sort()
          .join(' '),
      ).toBe(`${'Deployment '.repeat(6)}${'Service '.repeat(4)}${'ServiceAccount '.repeat(4)}`.trim());
    });

    it('ignores by name what means nothing to a mesh', () => {
      expect(decodeFile('bookinfo/platform/kube/bookinfo-mysql.yaml').ignored).toEqual([
        'v1 Secret default/mysql-credentials',
      ]);
      expect(decodeFile('bookinfo/platform/kube/bookinfo-ingress.yaml').ignored).toEqual([
        'networking.k8s.io/v1 Ingress default/gateway',
      ]);
    });

    it('knows every sample that it refuses', () => {
      expect(Object.keys(REFUSED).filter((file) => !files.includes(file))).toEqual([]);
    });
  }),
);
