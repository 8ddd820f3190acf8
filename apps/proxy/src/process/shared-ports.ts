import { FlotillaError, type SocketAddress } from '@flotilla/runtime';
import { closeFollows } from '@flotilla/sockets/errors';
import { createTcpServer, listen } from '@flotilla/sockets/tcp';
import type { Bootstrap } from '@flotilla/wire/envoy/config/bootstrap/v3/bootstrap_pb.js';
import { bindFailure } from '../sockets/bind-failure.ts';

/**
 * Makes sure that several processes can share the listeners of a bootstrap. Rejects with `invalid` when a control plane
 * is to configure them (each process would open a stream of its own under one node id) or when a port is 0 (each would
 * get another one), with `system` when a port is in use. The system itself would not tell the last from another
 * program that shares the port in the same way (`SO_REUSEPORT`).
 */
export async function requireSharablePorts({ dynamicResources, staticResources }: Bootstrap): Promise<void> {
  if (dynamicResources !== undefined) {
    throw new FlotillaError('invalid', 'dynamic_resources: several processes need a static bootstrap', {
      hint: 'Use --concurrency 1, or Envoy, whose threads share one stream to the control plane.',
    });
  }
  for (const { name, address, bindToPort } of staticResources?.listeners ?? []) {
    if (bindToPort === false || address?.address.case !== 'socketAddress') continue;
    const { address: host, portSpecifier } = address.address.value;
    if (portSpecifier.case !== 'portValue') continue;
    if (portSpecifier.value === 0) {
      throw new FlotillaError('invalid', `listener "${name}": several processes cannot share port 0`);
    }
    await requireFree(name, { host, port: portSpecifier.value });
  }
}

async function requireFree(name: string, address: SocketAddress): Promise<void> {
  const probe = createTcpServer({}, { onError: closeFollows, onSocketError: closeFollows }, null);
  try {
    await listen(probe, { ...address, exclusive: true });
  } catch (error) {
    throw bindFailure(name, address, error);
  }
  await new Promise<void>((resolve) => probe.close(() => resolve()));
}
