import type { FaultList, FieldPath } from '@flotilla/model';
import { quote } from '@flotilla/model';
import type { LocalityLoadBalancerSetting } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';

/** Rules of `localityLbSetting`: one way to choose, shares that add up, places that can be. */
export function checkLocalityLb(
  setting: LocalityLoadBalancerSetting | undefined,
  path: FieldPath,
  faults: FaultList,
): void {
  if (setting === undefined) return;
  const { distribute, failover, failoverPriority } = setting;
  if (distribute.length > 0 && failover.length + failoverPriority.length > 0) {
    faults.unexpected([...path, 'distribute'], 'distribute and failover exclude each other', 'Remove one of them.');
  }
  distribute.forEach((rule, index) => {
    const at = [...path, 'distribute', index];
    checkPlace(rule.from, [...at, 'from'], faults);
    const shares = Object.entries(rule.to);
    for (const [place, share] of shares) {
      checkPlace(place, [...at, 'to', place], faults);
      if (share < 1 || share > 100) {
        faults.error([...at, 'to', place], `must be a share between 1 and 100, but is ${share}`);
      }
    }
    const total = shares.reduce((sum, [, share]) => sum + share, 0);
    if (total !== 100) faults.error([...at, 'to'], `shares must add up to 100, but do to ${total}`);
  });
  failover.forEach(({ from, to }, index) => {
    const at = [...path, 'failover', index];
    for (const [name, region] of [
      ['from', from],
      ['to', to],
    ] as const) {
      if (region === '' || /[*/]/.test(region)) {
        faults.error([...at, name], `${quote(region)} is not the name of a region`, 'Write a region without zones.');
      }
    }
    if (from !== '' && from === to) faults.error([...at, 'to'], 'a region cannot fail over to itself');
  });
  failoverPriority.forEach((label, index) => {
    const at = [...path, 'failoverPriority', index];
    if (!/^[^=]+(=[^=]*)?$/.test(label)) faults.error(at, `${quote(label)} is neither a label nor label=value`);
    if (failover.length > 0 && TOPOLOGY.has(label.split('=')[0] ?? '')) {
      faults.error(at, `${quote(label)} and failover exclude each other`, 'Remove one of them.');
    }
  });
}

const TOPOLOGY = new Set(['topology.kubernetes.io/region', 'topology.kubernetes.io/zone', 'topology.istio.io/subzone']);

/** `region`, `region/zone` or `region/zone/subzone`; `*` takes any, at the end only. */
function checkPlace(place: string, path: FieldPath, faults: FaultList): void {
  const parts = place.split('/');
  const star = parts.indexOf('*');
  const isStarInside = star !== -1 && star < parts.length - 1;
  if (
    parts.length > 3 ||
    parts.includes('') ||
    isStarInside ||
    parts.some((part) => part !== '*' && part.includes('*'))
  ) {
    faults.error(path, `${quote(place)} is not a place`, 'Write region/zone/subzone, fewer parts, or * as the last.');
  }
}
