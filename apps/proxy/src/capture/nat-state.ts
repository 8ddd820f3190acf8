/** Our part of a nat table. */
export interface NatState {
  /** Rules by chain, without `-A <chain>`. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Rules of others' chains that lead to ours, without `-A`. */
  readonly jumps: readonly string[];
}

export const NOTHING: NatState = { chains: new Map(), jumps: [] };

/** Our part of what `iptables-save -t nat` printed: the chains that begin with `prefix`, and what leads to them. */
export function parseNatState(saved: string, prefix: string): NatState {
  const chains = new Map<string, string[]>();
  const jumps: string[] = [];
  for (const line of saved.split('\n')) {
    const declared = /^:(\S+) /.exec(line)?.[1];
    if (declared?.startsWith(prefix) === true) chains.set(declared, []);
    const [, chain, rule] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    if (chain === undefined || rule === undefined) continue;
    if (chain.startsWith(prefix)) chains.get(chain)?.push(rule);
    else if ([`-j ${prefix}`, `-g ${prefix}`].some((jump) => ` ${rule}`.includes(` ${jump}`)))
      jumps.push(`${chain} ${rule}`);
  }
  return { chains, jumps };
}

/**
 * What `iptables-restore --noflush` is given to come from one state to another, in one step: the kernel sees all of
 * it or nothing. Null when there is nothing to do.
 */
export function transition(from: NatState, to: NatState): string | null {
  if (from.chains.size === 0 && from.jumps.length === 0 && to.chains.size === 0 && to.jumps.length === 0) return null;
  const gone = [...from.chains.keys()].filter((chain) => !to.chains.has(chain));
  const lines = [
    '*nat',
    // Naming a chain makes it, or empties it.
    ...[...new Set([...to.chains.keys(), ...gone])].map((chain) => `:${chain} - [0:0]`),
    ...from.jumps.map((jump) => `-D ${jump}`),
    ...[...to.chains].flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)),
    ...to.jumps.map((jump) => `-A ${jump}`),
    ...gone.map((chain) => `-X ${chain}`),
    'COMMIT',
  ];
  return `${lines.join('\n')}\n`;
}
