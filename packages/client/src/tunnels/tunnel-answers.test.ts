import { describe, expect, test } from 'vitest';
import { TunnelAnswers } from './tunnel-answers.ts';

describe('a server', () => {
  test('answers each request once', () => {
    const answers = new TunnelAnswers();
    expect(answers.take('tunnel-granted', 1)).toBe(false);
    answers.requested(1);
    expect(answers.take('tunnel-granted', 1)).toBe(true);
    expect(answers.take('tunnel-granted', 1)).toBe(false);
    expect(answers.take('tunnel-refused', 1)).toBe(false);
    answers.requested(1);
    answers.requested(1);
    expect(answers.take('tunnel-refused', 1)).toBe(true);
    expect(answers.take('tunnel-granted', 1)).toBe(true);
    expect(answers.take('tunnel-granted', 1)).toBe(false);
  });

  test('takes away what it granted, once', () => {
    const answers = new TunnelAnswers();
    answers.requested(1);
    expect(answers.take('tunnel-close', 1)).toBe(false);
    expect(answers.take('tunnel-granted', 1)).toBe(true);
    expect(answers.take('tunnel-close', 1)).toBe(true);
    expect(answers.take('tunnel-close', 1)).toBe(false);
  });

  test('takes nothing away that it refused when it was asked again', () => {
    const answers = new TunnelAnswers();
    answers.requested(1);
    answers.take('tunnel-granted', 1);
    answers.requested(1);
    expect(answers.take('tunnel-refused', 1)).toBe(true);
    expect(answers.take('tunnel-close', 1)).toBe(false);
  });

  test('may have been about to answer, and to take away, when a tunnel was given back', () => {
    const answers = new TunnelAnswers();
    answers.requested(1);
    answers.givenBack(1);
    expect(answers.take('tunnel-granted', 1)).toBe(true);
    expect(answers.take('tunnel-close', 1)).toBe(true);
    expect(answers.take('tunnel-close', 1)).toBe(false);
    expect(answers.take('tunnel-granted', 1)).toBe(false);
  });

  test('has nothing to say of a tunnel that it refused before it was given back', () => {
    const answers = new TunnelAnswers();
    answers.requested(1);
    answers.take('tunnel-refused', 1);
    answers.givenBack(1);
    expect(answers.take('tunnel-close', 1)).toBe(false);
  });

  test('begins with nothing in the next session', () => {
    const answers = new TunnelAnswers();
    answers.requested(1);
    answers.requested(2);
    answers.givenBack(2);
    answers.clear();
    expect(answers.take('tunnel-granted', 1)).toBe(false);
    expect(answers.take('tunnel-granted', 2)).toBe(false);
  });
});
