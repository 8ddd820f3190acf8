/**
 * Labels as generators get them: names and values in turn, in the order of the names. Equal labels are equal lists, and
 * a list is compared by its texts.
 */
export type LabelList = readonly string[];

/** Of these labels those of these names. */
export function labelList(labels: Readonly<Record<string, string>>, names: Iterable<string>): LabelList {
  return [...new Set(names)].sort().flatMap((name) => {
    const value = labels[name];
    return value === undefined ? [] : [name, value];
  });
}

/** The labels of a list. */
export function labelsOf(list: LabelList): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (let at = 0; at + 1 < list.length; at += 2) labels[list[at] ?? ''] = list[at + 1] ?? '';
  return labels;
}
