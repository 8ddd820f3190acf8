import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { countVersions } from './count-versions.ts';
import { repository, TestMesh } from './mesh.ts';
import { type TourMesh, tourSuite } from './tour.suite.ts';

withPeer('corpus', (corpus) => {
  tourSuite("Bookinfo's tour with Istio's own files", {
    start: startEmbedded,
    readyWithinSeconds: 10,
    file: (name) => join(corpus, 'istio-samples/bookinfo/networking', `${name}.yaml`),
  });
});

/** The mesh of `flotilla up`: one machine, no interception. */
async function startEmbedded(): Promise<TourMesh> {
  const mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'));
  const { seconds, ingress } = mesh.summary;
  const httpProxy = new URL(mesh.proxy('productpage-v1').httpProxy ?? '');
  return {
    ingress,
    seconds,
    apply: (...files) => mesh.apply(...files),
    countReviews: (count) =>
      countVersions(
        { host: httpProxy.hostname, port: Number(httpProxy.port), path: 'http://reviews:9080/reviews/0' },
        count,
      ),
    metrics: async (workload) => (await fetch(`${mesh.proxy(workload).admin}/stats/prometheus`)).text(),
    proxyStatus: () => mesh.run('proxy-status'),
    stop: () => mesh.stop(),
  };
}
