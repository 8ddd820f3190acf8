import { builtinRules } from 'eslint/use-at-your-own-risk';
import tseslint from 'typescript-eslint';

/**
 * Whatever can fail by an event is opened by `libs/sockets` (and over it by `libs/rpc` and `libs/redis`), which give its
 * errors an owner. Here: Node's own openers, and those of libraries that open by themselves, are refused elsewhere.
 * `console` is allowed: it swallows what its streams say while it writes.
 */

/** Under names of their own: what else the same rules are configured for neither replaces this nor is replaced by it. */
const plugin = {
  rules: {
    imports: tseslint.plugin.rules['no-restricted-imports'],
    properties: builtinRules.get('no-restricted-properties'),
    syntax: builtinRules.get('no-restricted-syntax'),
  },
};

const HINT = 'its errors would have no owner, and end the process. Open it by';

/** What each module exports that opens something, and what to use instead. */
const OPENERS = [
  {
    name: 'net',
    opens: ['connect', 'createConnection', 'createServer', 'Server', 'Socket'],
    use: '@flotilla/sockets/tcp',
  },
  { name: 'tls', opens: ['connect', 'createServer', 'Server'], use: '@flotilla/sockets/tls' },
  { name: 'http', opens: ['createServer', 'get', 'request', 'Server', 'ClientRequest'], use: '@flotilla/sockets/http' },
  { name: 'https', opens: ['createServer', 'get', 'request', 'Server'], use: '@flotilla/sockets/http' },
  {
    name: 'http2',
    opens: ['connect', 'createSecureServer', 'createServer', 'performServerHandshake'],
    use: '@flotilla/sockets/http2',
  },
  {
    name: 'child_process',
    opens: ['ChildProcess', 'exec', 'execFile', 'fork', 'spawn'],
    use: '@flotilla/sockets/child-process',
  },
  { name: 'dgram', opens: ['createSocket', 'Socket'], use: 'an opener to be added to @flotilla/sockets' },
  { name: 'cluster', opens: ['fork'], use: '@flotilla/sockets/child-process' },
  { name: 'worker_threads', opens: ['Worker'], use: '@flotilla/sockets/worker' },
  { name: 'process', opens: ['stdout', 'stderr'], use: '@flotilla/sockets/standard-streams' },
];

const LIBRARIES = [
  {
    name: '@connectrpc/connect-node',
    importNames: ['Http2SessionManager', 'createConnectTransport', 'createGrpcTransport', 'createGrpcWebTransport'],
    message: `Its connections are its own: ${HINT} @flotilla/rpc/client.`,
  },
  { name: 'ioredis', message: `Reconnecting and silence are handled in one place: ${HINT} @flotilla/redis.` },
];

const NODE = OPENERS.flatMap(({ name, opens, use }) =>
  [name, `node:${name}`].map((module) => ({
    name: module,
    importNames: ['default', ...opens],
    message: `Not bare: ${HINT} ${use}.`,
  })),
);

const modules = OPENERS.map(({ name }) => name).join('|');

const openerRules = (imports) => ({
  'openers/imports': ['error', { paths: imports.map((each) => ({ ...each, allowTypeImports: true })) }],
  'openers/properties': [
    'error',
    ...['stdout', 'stderr'].map((property) => ({
      object: 'process',
      property,
      message: `Not bare: ${HINT} @flotilla/sockets/standard-streams.`,
    })),
  ],
  'openers/syntax': [
    'error',
    {
      selector: `ImportExpression[source.value=/^(node:)?(${modules})$/]`,
      message: `Not bare: ${HINT} @flotilla/sockets.`,
    },
    {
      selector: `CallExpression[callee.name=/^require/][arguments.0.value=/^(node:)?(${modules})$/]`,
      message: `Not bare: ${HINT} @flotilla/sockets.`,
    },
    {
      selector: 'NewExpression[callee.name=/^(TLSSocket|Socket|ChildProcess)$/]',
      message: `Not bare: ${HINT} @flotilla/sockets.`,
    },
    {
      selector: `CallExpression[callee.property.name='getBuiltinModule']`,
      message: `Not bare: ${HINT} @flotilla/sockets.`,
    },
  ],
});

const TESTS = ['**/*.spec.ts', '**/journeys/**', '**/testing/**', '**/testing-*.ts', 'libs/testing/**'];

/** For programs that run: not for tests and what they alone use, nor for the openers themselves. */
export const openers = [
  {
    files: ['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts'],
    ignores: [...TESTS, 'libs/sockets/**', 'libs/rpc/src/client/**', 'libs/redis/**'],
    plugins: { openers: plugin },
    rules: openerRules([...NODE, ...LIBRARIES]),
  },
  {
    // The owners of connections over `libs/sockets`.
    files: ['libs/rpc/src/client/**/*.ts', 'libs/redis/src/**/*.ts'],
    ignores: TESTS,
    plugins: { openers: plugin },
    rules: openerRules(NODE),
  },
];
