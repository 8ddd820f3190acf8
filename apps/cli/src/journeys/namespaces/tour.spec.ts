import { join } from 'node:path';
import { withPeer } from '@flotilla/testing';
import { repository } from '../mesh.ts';
import { type TourMesh, tourSuite } from '../tour.suite.ts';
import { bookinfo } from './bookinfo.ts';
import { NamespacedMesh } from './namespaced-mesh.ts';

withPeer('network-namespaces', () => {
  withPeer('corpus', (corpus) => {
    tourSuite("Bookinfo's tour in network namespaces, captured by iptables", {
      start,
      readyWithinSeconds: 60,
      startWithinMs: 120_000,
      file: (name) => join(corpus, 'istio-samples/bookinfo/networking', `${name}.yaml`),
    });
  });
});

async function start(): Promise<TourMesh> {
  const mesh = await NamespacedMesh.start(bookinfo);
  const counter = join(repository, 'apps/cli/src/journeys/count-versions-main.ts');
  return {
    ingress: `http://${mesh.host('ingress').ipv4}:8080`,
    seconds: mesh.seconds,
    apply: (...files) => mesh.apply(...files),
    async countReviews(count) {
      const result = await mesh.run('productpage-v1', [
        process.execPath,
        counter,
        'http://reviews:9080',
        String(count),
      ]);
      if (result.code !== 0) throw new Error(`counting failed:\n${result.stderr}`);
      // Written by the program beside this one.
      return new Map(Object.entries(JSON.parse(result.stdout) as Record<string, number>));
    },
    metrics: (workload) => mesh.metrics(workload),
    proxyStatus: () => mesh.flotilla('proxy-status'),
    stop: () => mesh.stop(),
  };
}
