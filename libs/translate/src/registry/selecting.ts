import { labelsMatch } from '@flotilla/model';
import { Memo } from '../identity.ts';
import type { Service } from './service.ts';

interface Labelled {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The services of a namespace that select what carries these labels, in their order; without looking at all of them. */
export function selectingServices(services: readonly Service[], { namespace, labels }: Labelled): readonly Service[] {
  const index = bySelector.get(services);
  return [undefined, ...Object.entries(labels)]
    .flatMap((label) => index.get(selectorKey(namespace, label)) ?? [])
    .filter(({ service }) => labelsMatch(service.selector ?? {}, labels))
    .sort((a, b) => a.at - b.at)
    .map(({ service }) => service);
}

/** Services by what their selectors ask for first. */
const bySelector = new Memo((services: readonly Service[]) => {
  const index = new Map<string, { readonly service: Service; readonly at: number }[]>();
  services.forEach((service, at) => {
    if (service.selector === null) return;
    const key = selectorKey(service.namespace, Object.entries(service.selector)[0]);
    const listed = index.get(key);
    if (listed === undefined) index.set(key, [{ service, at }]);
    else listed.push({ service, at });
  });
  return index;
});

function selectorKey(namespace: string, label: readonly [string, string] | undefined): string {
  return label === undefined ? namespace : `${namespace}/${label[0]}=${label[1]}`;
}
