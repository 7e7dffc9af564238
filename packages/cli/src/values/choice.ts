import { type Given, unusable } from './given.ts';

/** Reads one of a few words. */
export function parseChoice<Choice extends string>(given: Given, choices: readonly Choice[]): Choice {
  const choice = choices.find((candidate) => candidate === given.text);
  if (choice === undefined) throw unusable(given, 'not a known value', `give one of ${choices.join(', ')}`);
  return choice;
}
