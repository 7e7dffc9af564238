import { type Given, unusable } from './given.ts';

/** Reads an e-mail address, as far as an authority could use it. */
export function parseEmail(given: Given): string {
  if (/^[^\s@,;<>"]+@[^\s@,;<>"]+\.[^\s@,;<>"]+$/.test(given.text)) return given.text;
  throw unusable(
    given,
    'not an e-mail address',
    'give one that you read: authorities write to it when something is wrong',
  );
}

/** Reads the URL of an ACME directory. */
export function parseDirectoryUrl(given: Given): string {
  if (/^https:\/\/[^\s@]+$/.test(given.text) && URL.canParse(given.text)) return given.text;
  const hint = "give the URL of the authority's directory, as in https://acme.example.org/directory";
  throw unusable(given, 'not an https URL', hint);
}
