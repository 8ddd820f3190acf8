import type { Any } from '@bufbuild/protobuf/wkt';
import { ConfigSchema } from '@flotilla/wire/envoy/extensions/filters/network/direct_response/v3/config_pb.js';
import { refuse, unpackValid } from '@flotilla/envoy';
import type { AcceptedConnection, NetworkFilter, OpenConnection } from '../ports/accepted-connection.ts';
import { readDataSource } from '../base/data-source.ts';

/** `echo`: sends back what it gets. */
export const echo: NetworkFilter = {
  neededRoutes: new Map(),
  clusterNames: [],
  open(accepted, onClose) {
    const { socket, initial } = accepted;
    socket.once('close', onClose);
    if (initial !== null) socket.write(initial);
    socket.pipe(socket);
    return closing(accepted);
  },
};

/** `direct_response`: sends fixed bytes and closes. Throws `invalid`. */
export function compileDirectResponse(any: Any): NetworkFilter {
  const proto = unpackValid(any, ConfigSchema);
  if (proto === undefined) return refuse('direct_response', 'cannot be decoded');
  const response = readDataSource(proto.response, 'response') ?? Buffer.alloc(0);
  return {
    neededRoutes: new Map(),
    clusterNames: [],
    open(accepted, onClose) {
      const { socket } = accepted;
      socket.once('close', onClose);
      // Read what comes, so that the close is an end and not a reset that takes the bytes with it.
      socket.resume();
      socket.write(response);
      socket.destroySoon();
      return closing(accepted);
    },
  };
}

function closing({ socket }: AcceptedConnection): OpenConnection {
  return { drain: () => undefined, destroy: () => socket.destroy() };
}
