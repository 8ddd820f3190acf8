import type { FaultKind } from '../plan.ts';
import { badConfiguration } from './bad-configuration.ts';
import { blackHole } from './black-hole.ts';
import { connectionStorm } from './connection-storm.ts';
import type { Fault } from './fault.ts';
import { fullDisk } from './full-disk.ts';
import { instance } from './instance.ts';
import { kill } from './kill.ts';
import { restart } from './restart.ts';
import { stop } from './stop.ts';
import { tokenAbuse } from './token-abuse.ts';

export const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  kill,
  restart,
  stop,
  'black-hole': blackHole,
  'full-disk': fullDisk,
  instance,
  'bad-configuration': badConfiguration,
  'token-abuse': tokenAbuse,
  'connection-storm': connectionStorm,
};
