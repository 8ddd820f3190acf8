import nx from '@nx/eslint-plugin';
import importX from 'eslint-plugin-import-x';
import regexp from 'eslint-plugin-regexp';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';
import { openers } from './tools/lint/openers.js';

const lib = (...names) => names.map((name) => `lib:${name}`);

/** The only makers of HTTP servers: the door itself, calls behind it, and secrets on a Unix socket for stock Envoy. */
const HTTP_SERVERS = [
  'libs/sockets/src/http*.ts',
  'libs/http-port/src/open-http-port.ts',
  'libs/rpc/src/server/listen-*.ts',
  'apps/proxy/src/agent/sds-server.ts',
];

export default tseslint.config(
  { ignores: ['**/node_modules', '**/dist', 'libs/wire/gen', '.nx', '.flotilla'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strict],
    plugins: { '@nx': nx, 'import-x': importX, regexp },
    settings: {
      'import-x/resolver-next': [importX.createNodeResolver({ extensions: ['.ts', '.js'] })],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
    },
    rules: {
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // V8 matches by trying: what somebody else wrote is no expression for it (libs/match has a linear engine), and an
      // expression of ours takes no text more than linear time.
      'no-restricted-syntax': [
        'error',
        ...["NewExpression[callee.name='RegExp']", "CallExpression[callee.name='RegExp']"].map((selector) => ({
          selector: `${selector}:not([arguments.0.type='Literal'])`,
          message: 'An expression that is put together may take forever. Compile it with @flotilla/match.',
        })),
        {
          selector: "CallExpression[callee.property.name='search'][arguments.0.type!='Literal'][arguments.length=1]",
          message: 'String.search makes an expression of its argument. Compile it with @flotilla/match.',
        },
      ],
      'regexp/no-super-linear-backtracking': ['error', { report: 'certain' }],
      'regexp/no-super-linear-move': 'error',
      // A template literal with a number in it is not a mistake.
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      // Apps meet through proto/, xDS and the bus. Only the command line hosts other apps.
      '@nx/enforce-module-boundaries': [
        'error',
        {
          enforceBuildableLibDependency: false,
          allow: [],
          depConstraints: [
            { sourceTag: 'type:lib', onlyDependOnLibsWithTags: ['type:lib'] },
            { sourceTag: 'type:app', onlyDependOnLibsWithTags: ['type:lib'] },
            { sourceTag: 'type:host', onlyDependOnLibsWithTags: ['type:lib', 'type:app'] },
            // Tools on the API are written as anybody would write them.
            { sourceTag: 'type:example', onlyDependOnLibsWithTags: lib('client', 'wire') },
            { sourceTag: 'lib:http-codec', onlyDependOnLibsWithTags: lib('runtime', 'testing') },
            { sourceTag: 'lib:balance', onlyDependOnLibsWithTags: lib('runtime', 'testing') },
            { sourceTag: 'lib:wire', onlyDependOnLibsWithTags: [] },
          ],
        },
      ],
    },
  },
  {
    // What listens for HTTP has bounds, and a guard against web pages of other origins: libs/http-port.
    files: ['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts'],
    ignores: ['**/*.spec.ts', '**/journeys/**', '**/testing*/**', '**/testing*.ts', ...HTTP_SERVERS],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: ['node:http', 'node:http2', 'node:https', '@flotilla/sockets/http', '@flotilla/sockets/http2'].map(
            (name) => ({
              name,
              importNames: ['createServer', 'createSecureServer', 'Server', 'createHttpServer', 'createHttp2Server'],
              allowTypeImports: true,
              message: 'Open it with openHttpPort of @flotilla/http-port, or serve calls with serveRpc.',
            }),
          ),
        },
      ],
    },
  },
  {
    // What others chose is printed by what knows that it may steer a terminal.
    files: ['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts'],
    ignores: ['**/*.spec.ts', '**/journeys/**', 'libs/testing/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        ...['log', 'error', 'warn', 'info'].map((property) => ({
          object: 'console',
          property,
          message: 'Print by @flotilla/sockets/standard-streams.',
        })),
      ],
    },
  },
  {
    // These read texts of our own.
    files: ['**/*.spec.ts', '**/conformance/**', 'tools/**', 'libs/testing/**'],
    rules: {
      'no-restricted-syntax': 'off',
      'regexp/no-super-linear-backtracking': 'off',
      'regexp/no-super-linear-move': 'off',
    },
  },
  ...openers,
  prettier,
);
