import nx from '@nx/eslint-plugin';
import importX from 'eslint-plugin-import-x';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';
import { openers } from './tools/lint/openers.js';

const lib = (...names) => names.map((name) => `lib:${name}`);

export default tseslint.config(
  { ignores: ['**/node_modules', '**/dist', 'libs/wire/gen', '.nx', '.flotilla'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strict],
    plugins: { '@nx': nx, 'import-x': importX },
    settings: {
      'import-x/resolver-next': [importX.createNodeResolver({ extensions: ['.ts', '.js'] })],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
    },
    rules: {
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
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
  ...openers,
  prettier,
);
