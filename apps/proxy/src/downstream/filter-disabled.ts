import type { ListenerFilterChainMatchPredicate } from '@flotilla/wire/envoy/config/listener/v3/listener_components_pb.js';
import { refuse } from '@flotilla/envoy';

/** Whether a listener filter is off for connections to a port; null: it never is. */
export type PortPredicate = ((destinationPort: number) => boolean) | null;

/**
 * Compiles `filter_disabled`: protocols in which the server speaks first must not be waited for. Throws `invalid`,
 * naming the field.
 */
export function compilePortPredicate(
  predicate: ListenerFilterChainMatchPredicate | undefined,
  path: string,
): PortPredicate {
  return predicate === undefined ? null : compile(predicate, `${path}.filter_disabled`);
}

function compile({ rule }: ListenerFilterChainMatchPredicate, path: string): (destinationPort: number) => boolean {
  switch (rule.case) {
    case 'destinationPortRange': {
      const { start, end } = rule.value;
      return (port) => port >= start && port < end;
    }
    case 'orMatch': {
      const rules = rule.value.rules.map((each, index) => compile(each, `${path}.or_match.rules[${index}]`));
      return (port) => rules.some((matches) => matches(port));
    }
    case 'andMatch': {
      const rules = rule.value.rules.map((each, index) => compile(each, `${path}.and_match.rules[${index}]`));
      return (port) => rules.every((matches) => matches(port));
    }
    case 'notMatch': {
      const matches = compile(rule.value, `${path}.not_match`);
      return (port) => !matches(port);
    }
    case 'anyMatch':
      return () => rule.value;
    case undefined:
      return refuse(path, 'is empty');
  }
}
