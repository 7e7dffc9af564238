import { type Given, unusable } from './given.ts';

const GREATEST_COUNT = 0xffff_ffff;

/** Reads a whole number of at least 1. */
export function parseCount(given: Given): number {
  const count = /^\d{1,10}$/.test(given.text) ? Number(given.text) : 0;
  if (count < 1 || count > GREATEST_COUNT) {
    throw unusable(given, 'not a whole number of at least 1', 'give a whole number, as in 100');
  }
  return count;
}
