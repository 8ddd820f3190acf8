import { withPeer } from '@flotilla/testing';
import { captureSuite } from './capture.suite.ts';

withPeer('network-namespaces', () => {
  withPeer('curl', () => {
    captureSuite('a captured workload', 'flotilla');

    withPeer('envoy', (envoy) => {
      captureSuite('a captured workload with stock Envoy', { envoy });
    });
  });
});
