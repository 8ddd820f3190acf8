import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { isObject, readDocuments, typedResource } from '@flotilla/model';
import { seededRandom } from '@flotilla/runtime';
import { createTestAuthority } from '@flotilla/spiffe/testing';
import { withPeer } from '@flotilla/testing';
import { type Exhibit, exhibitsOf, refusedByEnvoy } from '@flotilla/translate/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeDocuments } from '../decode/decode-documents.ts';
import { type Edit, editsOf } from './edge-values.ts';

const EVERY_FEATURE = join(import.meta.dirname, '../../../pilot/src/journeys/every-feature.yaml');
/** Of the edits, what is tried each time: all take a minute. */
const SHARE = Number(process.env['FLOTILLA_EDGES'] ?? 0.04);
/** Enough to see what is wrong. */
const MOST_REFUSED = 10;
const EDGES = join(import.meta.dirname, 'edges.yaml');

withPeer('envoy', (path) => {
  describe('a document with one field at the edge', () => {
    let folder: string;
    let documents: readonly JsonObject[];

    beforeAll(async () => {
      const id = { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'default' };
      const certificate = await (await createTestAuthority()).issue(id);
      folder = mkdtempSync(join(tmpdir(), 'flotilla-edges-'));
      writeFileSync(join(folder, 'certificate.pem'), certificate.chainPem);
      writeFileSync(join(folder, 'key.pem'), certificate.privateKeyPem);
      documents = [EVERY_FEATURE, EDGES].flatMap((file) => {
        const yaml = readFileSync(file, 'utf8')
          .replaceAll('CERTIFICATE', join(folder, 'certificate.pem'))
          .replaceAll(': KEY', `: ${join(folder, 'key.pem')}`);
        return readDocuments(yaml, file).documents.flatMap(({ value }) => (isObject(value) ? [value] : []));
      });
    });

    afterAll(() => rmSync(folder, { recursive: true }));

    it('is refused before it is committed, when Envoy would refuse what comes of it', { timeout: 240_000 }, () => {
      const exhibits = new Map<string, Exhibit>();
      const from = new Map<string, Edit>();
      let accepted = 0;
      let edits = 0;
      // One that stays: a finding is for whoever looks for it with another, not for whoever changes something else.
      const seed = Number(process.env['FLOTILLA_SEED'] ?? 5);
      const random = seededRandom(seed);
      for (const document of documents) {
        for (const edit of editsOf(document)) {
          if (random() > SHARE) continue;
          edits += 1;
          const { candidates } = decodeDocuments([{ source: 'edge', yaml: JSON.stringify(edit.document) }], 'default');
          for (const { content, entry, spec } of candidates) {
            accepted += 1;
            const resource = typedResource({ ...content, resourceVersion: 1, createdAtMs: 0 }, entry, spec);
            for (const [version, exhibit] of exhibitsOf(resource)) {
              if (!exhibits.has(version)) from.set(version, edit);
              exhibits.set(version, exhibit);
            }
          }
        }
      }
      const refused = refusedByEnvoy(path, [...exhibits.values()], MOST_REFUSED);
      const told = [...refused].map(([version, reason]) => `${from.get(version)?.text ?? ''}: ${reasonOf(reason)}`);
      console.log(
        `seed ${seed}: ${edits} documents, ${accepted} accepted, ${exhibits.size} resources for Envoy, ${told.length} refused`,
      );
      expect(told).toEqual([]);
    });
  });
});

function reasonOf(text: string): string {
  return text.replace(/^[^]*bootstrap\.json': /, '').slice(-300);
}
