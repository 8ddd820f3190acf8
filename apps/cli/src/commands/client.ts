import { type Client, ConnectError, createClient } from '@connectrpc/connect';
import type { DescService } from '@bufbuild/protobuf';
import { createRpcTransport, fromConnectError } from '@flotilla/rpc';
import { FlotillaError } from '@flotilla/runtime';
import { ValidationReportSchema } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';
import { findContext, type MeshContext } from '../context/context.ts';
import { formatFinding } from '../terminal/findings.ts';

/** Options that every command with a peer has. */
export interface ApiOptions {
  readonly api?: string;
  readonly token?: string;
}

export interface ApiClient {
  readonly context: MeshContext;
  client<S extends DescService>(service: S): Client<S>;
}

/** Connects to the API of the mesh that the options mean. Throws `unavailable` when no mesh is known. */
export function openApi(options: ApiOptions): ApiClient {
  return connectApi(findContext(options.api, options.token ?? process.env['FLOTILLA_ADMIN_TOKEN']));
}

export function connectApi(context: MeshContext): ApiClient {
  const transport = createRpcTransport({ url: context.api, token: context.adminToken });
  return { context, client: (service) => createClient(service, transport) };
}

/**
 * Runs a call and turns its RPC error into ours: with the peer's address when it cannot be reached, and with
 * every finding, one a line, when galley refused a change.
 */
export async function call<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const findings = ConnectError.from(error)
      .findDetails(ValidationReportSchema)
      .flatMap((report) => report.findings);
    if (findings.length > 0) {
      const text = findings.map(formatFinding).join('\n');
      throw new FlotillaError('invalid', `refused, and nothing was changed:\n${text}`, { cause: error });
    }
    const translated = fromConnectError(error);
    if (translated.code !== 'unavailable') throw translated;
    throw new FlotillaError('unavailable', translated.message, {
      cause: error,
      hint: 'Is the mesh running? "flotilla up" starts one; --api names another.',
    });
  }
}
