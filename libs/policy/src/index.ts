import type { StreamInfo } from '@flotilla/stream';

/** What a policy makes of a request or a connection, and why. */
export interface Verdict {
  readonly outcome: 'allow' | 'deny';
  /** The rule that decided: its name, and where it stands in the configuration; null: none did, and the default holds. */
  readonly rule: { readonly name: string; readonly field: string } | null;
  /** For people: what the rule found. */
  readonly reason: string;
}

/** A policy, compiled. It reads facts and changes nothing, so that whoever asks gets the answer that traffic gets. */
export interface Policy {
  decide(facts: StreamInfo): Verdict;
}

/** The first denial decides; without one, the last verdict does. Without policies everything is allowed. */
export function decideInOrder(policies: readonly Policy[], facts: StreamInfo): Verdict {
  let verdict: Verdict = { outcome: 'allow', rule: null, reason: 'no policy applies' };
  for (const policy of policies) {
    verdict = policy.decide(facts);
    if (verdict.outcome === 'deny') return verdict;
  }
  return verdict;
}
