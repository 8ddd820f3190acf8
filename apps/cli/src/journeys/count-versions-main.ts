import { countVersions } from './count-versions.ts';

// `node count-versions-main.ts http://reviews:9080 2000`: the counts as JSON, for running where productpage runs.
const [url = '', count = ''] = process.argv.slice(2);
const { hostname: host, port } = new URL(url);
const counts = await countVersions({ host, port: Number(port), path: '/reviews/0' }, Number(count));
console.log(JSON.stringify(Object.fromEntries(counts)));
