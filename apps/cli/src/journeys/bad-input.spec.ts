import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fetchPage } from './bookinfo-page.ts';
import { repository, runFlotilla, TestMesh } from './mesh.ts';

let scratch: string;
beforeAll(() => void (scratch = mkdtempSync(join(tmpdir(), 'flotilla-bad-'))));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const file = join(scratch, name);
  writeFileSync(file, text);
  return file;
}

describe('a change that is refused', () => {
  let mesh: TestMesh;
  let versionBefore: number;

  beforeAll(async () => {
    mesh = await TestMesh.start(join(repository, 'examples/bookinfo/mesh.yaml'));
    versionBefore = await version();
  });
  afterAll(() => mesh?.stop());

  const route = (destination: string) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: { host: reviews${destination} }
`;

  it.each([
    ['a YAML error', 'yaml.yaml', 'kind: [\n', /^\S*yaml\.yaml:2:1: error/m],
    [
      'an unknown field',
      'field.yaml',
      route('').replace('hosts:', 'host:'),
      /^\S*field\.yaml:6:3: error .*: spec\.host: .*hosts/ms,
    ],
    ['a wrong type', 'type.yaml', route('').replace('[reviews]', '7'), /^\S*type\.yaml:6:10: error .*: spec\.hosts: /m],
    [
      'a bad enumeration value',
      'enum.yaml',
      `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default }\nspec:\n  mtls: { mode: MAYBE }\n`,
      /^\S*enum\.yaml:5:17: error .*: spec\.mtls\.mode: .*STRICT/ms,
    ],
    [
      'a wrong weight',
      'weight.yaml',
      route(' }\n          weight: -1\n        - { destination: { host: ratings }, weight: 101').replace(
        '101 }',
        '101 }',
      ),
      /^\S*weight\.yaml:10:\d+: error .*: spec\.http\[0\]\.route\[0\]\.weight: /m,
    ],
    [
      'a subset that no DestinationRule has',
      'subset.yaml',
      route(', subset: v9'),
      /^\S*subset\.yaml:9:\d+: error IST0101 .*: spec\.http\[0\]\.route\[0\]\.destination.*v9/m,
    ],
  ])('%s: says where and why, and leaves the mesh as it was', async (_case, name, yaml, expected) => {
    const file = write(name, yaml);
    const result = await mesh.run('apply', '-f', file);
    expect(result.stderr).toMatch(expected);
    expect(result.code).toBe(1);
    expect(await version()).toBe(versionBefore);
    expect((await fetchPage(mesh.summary.ingress)).status).toBe(200);
  });

  it.each([
    ['a file that is not there', () => join(scratch, 'nowhere.yaml'), 'there is no such file'],
    [
      'a directory without YAML',
      () => mkdtempSync(join(scratch, 'empty-')),
      'there is no .yaml, .yml or .json file in',
    ],
    [
      'a file of 5 MiB',
      () => write('large.yaml', `# ${'x'.repeat(5 * 1024 * 1024)}\n`),
      'more than the 4194304 allowed',
    ],
  ])('%s: says so', async (_case, path, expected) => {
    const result = await mesh.run('apply', '-f', path());
    expect(result.stderr).toContain(expected);
    expect(result.code).toBe(1);
  });

  it('a kind that does not exist: names the nearest', async () => {
    const result = await mesh.run('get', 'virtualservise');
    expect(result.stderr).toContain('Did you mean "VirtualService"?');
    expect(result.code).toBe(1);
  });

  it('validate says the same without a mesh', async () => {
    const file = write('offline.yaml', route('').replace('hosts:', 'host:'));
    const result = await runFlotilla(['validate', '-f', file], { FLOTILLA_HOME: join(scratch, 'nobody') });
    expect(result.code).toBe(1);
    expect(result.stdout + result.stderr).toMatch(/offline\.yaml:6:3: error/);
  });

  async function version(): Promise<number> {
    const status = await mesh.run('proxy-status', '-o', 'json');
    // The command's own documented output.
    return (JSON.parse(status.stdout) as { version: number }).version;
  }
});

describe('a mesh that cannot start', () => {
  const workload = (command: string, more = '') =>
    `workloads:\n  - name: web\n    service: web\n    ports: [{ port: 80${more} }]\n    command: [${command}]\n`;
  const home = () => ({ FLOTILLA_HOME: join(scratch, 'home') });

  it('names a command that does not exist', async () => {
    const file = write('command.yaml', workload('no-such-program'));
    const result = await runFlotilla(['up', '-f', file], home());
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain('workload web of');
    expect(result.stderr).toContain('the program "no-such-program" does not exist');
  });

  it('names a port in use and who wanted it', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    // A listening TCP server always has an AddressInfo.
    const { port } = server.address() as AddressInfo;
    const file = write('port.yaml', workload('sleep, 60', `, appPort: ${port}`));
    const result = await runFlotilla(['up', '-f', file], home());
    server.close();
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`port ${port} for the application of web is in use`);
  });

  it('shows what is wrong with the configuration directory', async () => {
    const config = join(scratch, 'config');
    mkdirSync(config);
    writeFileSync(
      join(config, 'open.yaml'),
      'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: none }\nspec: {}\n',
    );
    const file = write('config.yaml', `config: [config]\n${workload('sleep, 60')}`);
    const result = await runFlotilla(['up', '-f', file], home());
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/open\.yaml:\d+:\d+: error FLT0002: .*AuthorizationPolicy/);
  });

  it('shows the last words of an application that ends while starting', async () => {
    const script = write('boom.sh', 'echo "cannot open the database" >&2; exit 3\n');
    const result = await runFlotilla(['up', '-f', write('boom.yaml', workload(`sh, ${script}`))], home());
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('web/application ended while starting');
    expect(result.stderr).toContain('cannot open the database');
  });

  it('names a data directory that cannot be written', async () => {
    // A file where the directory should be: refused for root too, whom modes do not stop.
    const occupied = write('occupied', '');
    const file = write('data.yaml', workload('sleep, 60'));
    const result = await runFlotilla(['up', '-f', file, '--data', join(occupied, 'data')], home());
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`the data directory ${join(occupied, 'data')} cannot be written`);
    const readOnly = join(scratch, 'read-only');
    mkdirSync(readOnly);
    chmodSync(readOnly, 0o500);
    if (process.getuid?.() !== 0) {
      expect((await runFlotilla(['control-plane', '--data', join(readOnly, 'data')], home())).code).toBe(1);
    }
  });

  it('answers wrong usage with 2, and a mesh that is not there with 3', async () => {
    expect(await runFlotilla(['fly'], home())).toMatchObject({ code: 2 });
    expect(await runFlotilla(['up', '--log-level', 'loud'], home())).toMatchObject({ code: 2 });
    const unreachable = await runFlotilla(['get', '--api', 'http://127.0.0.1:1'], home());
    expect(unreachable.code).toBe(3);
    expect(unreachable.stderr).toContain('cannot reach http://127.0.0.1:1');
    expect(await runFlotilla(['get'], home())).toMatchObject({ code: 3 });
    expect(await runFlotilla(['get', '-o', 'xml'], home())).toMatchObject({ code: 2 });
    expect(await runFlotilla(['token', '--service-account', 'a', '--ttl', 'soon'], home())).toMatchObject({ code: 2 });
  });
});
