import type { Import } from './sources.ts';

/** The circles of `imports`: groups of files each of which reaches every other; sorted, largest group first. */
export function circlesOf(imports: readonly Import[]): string[][] {
  const targets = Map.groupBy(imports, ({ from }) => from);
  const index = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const circles: string[][] = [];

  // Tarjan's strongly connected components.
  const visit = (file: string): void => {
    index.set(file, index.size);
    let low = index.size - 1;
    open.push(file);
    isOpen.add(file);
    for (const { to } of targets.get(file) ?? []) {
      if (!index.has(to)) {
        visit(to);
        low = Math.min(low, lowest.get(to) ?? low);
      } else if (isOpen.has(to)) low = Math.min(low, index.get(to) ?? low);
    }
    lowest.set(file, low);
    if (low !== index.get(file)) return;
    const group = open.splice(open.indexOf(file));
    for (const member of group) isOpen.delete(member);
    if (group.length > 1 || (targets.get(file) ?? []).some(({ to }) => to === file)) circles.push(group.toSorted());
  };
  for (const file of targets.keys()) if (!index.has(file)) visit(file);
  return circles.toSorted((a, b) => b.length - a.length || (a[0] ?? '').localeCompare(b[0] ?? ''));
}
