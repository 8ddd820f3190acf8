import type { AdminState } from './admin-state.ts';
import { runtimeEntries } from '../bootstrap/runtime.ts';

/** Keys with the value of each layer and the one that counts, in Envoy's form: texts, empty where a layer has none. */
export function runtimePage({ bootstrap }: AdminState) {
  const layers = (bootstrap.layeredRuntime?.layers ?? []).map(({ name }) => name);
  const entries: Record<string, { layer_values: string[]; final_value: string }> = {};
  for (const { key, layer, value } of runtimeEntries(bootstrap)) {
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
    const entry = (entries[key] ??= { layer_values: layers.map(() => ''), final_value: '' });
    entry.layer_values[layers.indexOf(layer)] = text;
    entry.final_value = text;
  }
  return { layers, entries };
}
