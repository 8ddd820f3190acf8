import { describe, expect, it } from 'vitest';
import { labelsMatch } from './labels.ts';
import { isVisibleFrom, parseExportTo } from './visibility.ts';

describe('exportTo', () => {
  it.each([
    ['empty is everywhere', [], [], true, true],
    ['empty takes the default of the mesh', [], ['.'], true, false],
    ['* is everywhere', ['*'], ['.'], true, true],
    ['. is the own namespace', ['.'], [], true, false],
    ['~ is nowhere', ['~'], [], false, false],
    ['a name is that namespace', ['other'], [], false, true],
    ['names and . add up', ['.', 'other'], [], true, true],
  ])('%s', (_, exportTo, defaults, own, other) => {
    const visibility = parseExportTo(exportTo, 'own', defaults);
    expect(isVisibleFrom(visibility, 'own')).toBe(own);
    expect(isVisibleFrom(visibility, 'other')).toBe(other);
  });
});

describe('labelsMatch', () => {
  it.each([
    ['an empty selector matches', {}, { app: 'a' }, true],
    ['a subset matches', { app: 'a' }, { app: 'a', version: 'v1' }, true],
    ['another value does not', { app: 'a' }, { app: 'b' }, false],
    ['a missing label does not', { app: 'a' }, {}, false],
    ['an inherited property is no label', { constructor: 'x' }, {}, false],
  ])('%s', (_, selector, labels, expected) => {
    expect(labelsMatch(selector, labels)).toBe(expected);
  });
});
