import { join } from 'node:path';
import { renderService } from './api-reference.ts';
import { type Page, replaceGenerated } from './page.ts';
import { readProtos } from './protos.ts';

const FILES = ['flotilla/galley/v1/galley.proto', 'flotilla/pilot/v1/pilot.proto', 'flotilla/citadel/v1/citadel.proto'];

/** docs/api.md: what people wrote, then the reference that follows from the comments of proto/flotilla. */
export function apiPage(root: string): Page {
  return {
    file: 'docs/api.md',
    render(current) {
      const protos = readProtos(join(root, 'proto'), 'flotilla');
      const reference = FILES.map((name) => renderService(protos.file(name), protos)).join('\n\n');
      return replaceGenerated(current, `## Reference\n\n${INTRODUCTION}\n\n${reference}\n`);
    },
  };
}

const INTRODUCTION = `In JSON, names are in lowerCamelCase (\`default_namespace\` is \`defaultNamespace\`), 64-bit numbers are
strings, timestamps are RFC 3339, durations are seconds (\`"3600s"\`), and what has its default value is left out.`;
