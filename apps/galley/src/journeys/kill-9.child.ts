// Commits one resource after another and prints each version once it was acknowledged. Run by kill-9.spec.ts.
import { openSqliteStore } from '../store/sqlite.ts';

const store = openSqliteStore({ path: process.argv[2] ?? '' });
let revision = await store.revision();
for (;;) {
  const resource = {
    key: { group: '', kind: 'ServiceAccount', namespace: 'default', name: `a${revision.version + 1}` },
    apiVersion: 'v1',
    labels: {},
    annotations: {},
    body: {},
    origin: { source: 'child', line: 1, column: 1 },
    resourceVersion: 0,
    createdAtMs: 1,
  };
  revision = await store.commit([{ type: 'put', resource, owner: 'api' }], revision);
  process.stdout.write(`${revision.version}\n`);
}
