import { printLine } from '@flotilla/sockets/standard-streams';
import { findContext } from '../context/context.ts';

/** `flotilla env`: address and admin token of the mesh started last on this machine, as lines for a shell. */
export function printEnvironment(): void {
  const { api, adminToken } = findContext(undefined);
  printLine(`export FLOTILLA_API=${api}\nexport FLOTILLA_ADMIN_TOKEN=${adminToken}`);
}
