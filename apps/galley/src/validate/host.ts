import { isIP } from 'node:net';
import { quote } from '@flotilla/model';
import type { FaultList, FieldPath } from '@flotilla/model';
import { isDnsLabel } from '../decode/header.ts';

const LABEL = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

/** Whether the text is a host name, short or full. Underscores are not allowed, a trailing dot is. */
export function isHostName(text: string): boolean {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  return name.length > 0 && name.length <= 255 && name.split('.').every((label) => LABEL.test(label));
}

/** Whether the text is a host name, `*`, or a wildcard such as `*.example.com` or `*-eu.example.com`. */
export function isWildcardHost(text: string): boolean {
  if (text === '*' || isHostName(text)) return true;
  if (!text.startsWith('*')) return false;
  const rest = text.slice(1);
  return rest.startsWith('.') ? isHostName(rest.slice(1)) : isHostName(`a${rest}`);
}

/** A host of a route or rule: a name, a wildcard, or an address. */
export function checkHost(host: string, path: FieldPath, faults: FaultList): void {
  if (host === '') faults.error(path, 'the host is empty');
  else if (isIP(host) === 0 && !isWildcardHost(host)) {
    faults.error(path, `${quote(host)} is not a host name`, 'Write a name such as reviews or *.example.com.');
  }
}

/** `namespace/host`, or with `needsNamespace` false also a host alone. The namespace may be `.`, `*` and, if allowed, `~`. */
export function checkScopedHost(
  text: string,
  path: FieldPath,
  options: { readonly needsNamespace: boolean; readonly allowsNone: boolean },
  faults: FaultList,
): void {
  const slash = text.indexOf('/');
  if (slash === -1) {
    if (!options.needsNamespace) checkHost(text, path, faults);
    else faults.error(path, `${quote(text)} has no namespace`, `Write namespace/host, such as ./${text} or */${text}.`);
    return;
  }
  const namespace = text.slice(0, slash);
  const isNone = options.allowsNone && namespace === '~';
  if (namespace !== '*' && namespace !== '.' && !isNone && !isDnsLabel(namespace)) {
    faults.error(
      path,
      `${quote(namespace)} is not a namespace`,
      'Write a name, . for the own namespace, or * for all.',
    );
  }
  checkHost(text.slice(slash + 1), path, faults);
}

/** An `exportTo` list. */
export function checkExportTo(exportTo: readonly string[], faults: FaultList): void {
  const seen = new Set<string>();
  exportTo.forEach((entry, index) => {
    const path = ['spec', 'exportTo', index];
    if (entry !== '*' && entry !== '.' && entry !== '~' && !isDnsLabel(entry)) {
      faults.error(path, `${quote(entry)} is not a namespace`, 'Write a name, . for the own namespace, or * for all.');
    }
    if (seen.has(entry)) faults.error(path, `${quote(entry)} is written twice`);
    seen.add(entry);
  });
  if (exportTo.length > 1 && (seen.has('*') || seen.has('~'))) {
    faults.error(['spec', 'exportTo'], 'neither * nor ~ can stand beside other entries');
  }
}
