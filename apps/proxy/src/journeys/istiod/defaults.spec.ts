import { create, type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { formatPath, unsupportedIn } from '@flotilla/envoy';
import { BootstrapSchema } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { ClusterSchema } from '@flotilla/wire/envoy/config/cluster/v3/cluster_pb.js';
import { ListenerSchema } from '@flotilla/wire/envoy/config/listener/v3/listener_pb.js';
import { RouteConfigurationSchema } from '@flotilla/wire/envoy/config/route/v3/route_pb.js';
import { DiscoveryResponseSchema } from '@flotilla/wire/envoy/service/discovery/v3/discovery_pb.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { compileFaults } from '../../process/validate.ts';

/*
 * What istiod answers to a sidecar when nothing is set: clusters, listeners and routes of a mesh of five services (HTTP,
 * gRPC, TCP, one outside by DNS; one rule), as its pilot-discovery of 2026-08-27 sent them over ADS to
 * `sidecar~10.9.9.9~me.ns-1~ns-1.svc.cluster.local`: one DiscoveryResponse with the resources of all three types.
 */
const bytes = brotliDecompressSync(readFileSync(join(import.meta.dirname, 'sidecar.binpb.br')));
const { resources } = fromBinary(DiscoveryResponseSchema, bytes);

function all<D extends DescMessage>(schema: D): readonly MessageShape<D>[] {
  return resources
    .filter(({ typeUrl }) => typeUrl.endsWith(`/${schema.typeName}`))
    .map(({ value }) => fromBinary(schema, value));
}

it('of fields only the filters of clusters are refused', () => {
  const refused = [ClusterSchema, ListenerSchema, RouteConfigurationSchema].flatMap((schema: DescMessage) =>
    all(schema).flatMap((message) =>
      unsupportedIn(schema, message).map(({ path }) => `${schema.name}: ${formatPath(path)}`),
    ),
  );
  expect([...new Set(refused)]).toEqual(['Cluster: filters']);
});

it('listeners compile but for three filters that are Istio’s own', () => {
  const listeners = [...all(ListenerSchema)];
  const bootstrap = create(BootstrapSchema, { dynamicResources: {}, staticResources: { listeners } });
  const faults = compileFaults(bootstrap).map(({ message }) => message.replace(/^listener "([^"]*)".*: /, '$1: '));
  expect(faults).toEqual([
    '0.0.0.0_80: istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig is not supported',
    '0.0.0.0_7070: istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig is not supported',
    'virtualInbound: udpa.type.v1.TypedStruct is not supported here',
  ]);
  expect(listeners).toHaveLength(7);
});
