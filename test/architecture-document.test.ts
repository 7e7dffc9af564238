// Holds docs/architecture.md: the files that it names exist, and its table has every room.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readDocument, tableRows } from './support/documents.ts';
import { ROOMS } from './support/rooms.ts';

const root = join(import.meta.dirname, '..');
const document = readDocument('architecture.md');

test('the files that it names exist', () => {
  const named = [...document.matchAll(/`((?:packages|test)\/[^`]+)`/g)].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('it names every room', () => {
  const told = tableRows(document, /^(?:shared|client|server|pages|cli)$/).flatMap(([name = '', rooms = '']) =>
    [...rooms.matchAll(/`([a-z]+)`/g)].map(([, room = '']) => `${name}/${room}`),
  );
  const rooms = Object.keys(ROOMS).filter((room) => room.split('/').length === 2);
  expect(told.toSorted()).toEqual(rooms.toSorted());
});
