import type { WrittenResource } from '../../apps/cli/src/journeys/services/acknowledged-writes.ts';

/** Answers carry it, with the number of the change. */
export const CHANGE_HEADER = 'x-change';

/** The change of a number: that of one service after another, which every proxy is told of. */
export function changeOf(services: readonly string[], number: number): WrittenResource {
  const name = services[number % services.length] ?? '';
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name, namespace: 'default' },
    spec: {
      hosts: [name],
      http: [
        {
          route: [{ destination: { host: name } }],
          headers: { response: { set: { [CHANGE_HEADER]: String(number) } } },
        },
      ],
    },
  };
}
