import { expect, test } from 'vitest';
import { expandPortRange } from './port-range.ts';

const expand = (text: string): readonly string[] =>
  expandPortRange({ text, source: 'target' }).map((each) => each.text);

test('a range is its ports, in order', () => {
  expect(expand('18000-18002')).toEqual(['18000', '18001', '18002']);
  expect(expand('db.lan:1-2')).toEqual(['db.lan:1', 'db.lan:2']);
  expect(expand('[::1]:5-5')).toEqual(['[::1]:5']);
});

test.each(['3000', 'my-host:3000', 'my-host', '1-2:3000', ''])('"%s" stays as it is', (text) => {
  expect(expand(text)).toEqual([text]);
});

test.each(['9-1', '0-3', '1-70000', '1-257'])('%s is refused', (text) => {
  expect(() => expand(text)).toThrow(expect.objectContaining({ code: 'usage' }));
});
