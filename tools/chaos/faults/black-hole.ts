import { execFileSync } from 'node:child_process';
import { type Fault, partsOf } from './fault.ts';

/** Every packet to and from its ports is dropped: nobody who speaks with it is told anything. */
export const blackHole: Fault = async ({ ports }, step) => {
  const rules = partsOf(ports, step)
    .flat()
    .flatMap((port) => [`--dport=${port}`, `--sport=${port}`]);
  const change = (action: '--append' | '--delete') => {
    for (const rule of rules) {
      execFileSync('iptables', ['--wait', action, 'INPUT', '--protocol', 'tcp', rule, '--jump', 'DROP']);
    }
  };
  change('--append');
  return { heal: async () => change('--delete') };
};
