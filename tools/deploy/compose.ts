import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

export const composeFolder = resolve(import.meta.dirname, '../../deploy/compose');

/** A service of a compose file, as far as the checks ask. */
export interface ComposeService {
  readonly image?: string;
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly (string | { readonly source: string; readonly target: string })[];
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] }>>;
  readonly network_mode?: string;
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly profiles?: readonly string[];
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly mem_limit?: string;
  readonly cpus?: number;
  readonly pids_limit?: number;
  readonly healthcheck?: { readonly test?: string | readonly string[]; readonly disable?: boolean };
  readonly logging?: { readonly options?: Readonly<Record<string, string>> };
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

/** A file of deploy/compose with its anchors and `extends` resolved and its variables at their defaults. */
export function readCompose(name: string): ComposeFile {
  const text = readFileSync(join(composeFolder, name), 'utf8').replaceAll(/(?<!\$)\$\{\w+:-([^}]*)\}/g, '$1');
  // docker-compose checks the form of it in a journey.
  const file = parse(text, { merge: true }) as ComposeFile & {
    readonly services: Record<
      string,
      ComposeService & { readonly extends?: { readonly file: string; readonly service: string } }
    >;
  };
  const services = Object.entries(file.services).map(([service, { extends: base, ...own }]) => {
    if (base === undefined) return [service, own] as const;
    const inherited = readCompose(base.file).services[base.service] ?? {};
    const merged = {
      ...inherited,
      ...own,
      environment: { ...inherited.environment, ...own.environment },
      secrets: [...(inherited.secrets ?? []), ...(own.secrets ?? [])],
    };
    return [service, merged] as const;
  });
  return { ...file, services: Object.fromEntries(services) };
}
