/**
 * Ends with 0 when `http://127.0.0.1:<port><path>` answers 200, else with 1 and the answer: what is waited for.
 * Images have no curl. Plain `node:http`, because it loads in a third of the time of `fetch`.
 */
import { get } from 'node:http';

const [port, path] = process.argv.slice(2);
const request = get({ host: '127.0.0.1', port, path, timeout: 2_000 }, (response) => {
  response.setEncoding('utf8');
  response.on('data', (text) => process.stdout.write(text));
  process.exitCode = response.statusCode === 200 ? 0 : 1;
});
request.on('timeout', () => request.destroy(new Error('no answer within 2 seconds')));
request.on('error', (error) => {
  console.log(error.message);
  process.exitCode = 1;
});
