/** mocha's settings, for `npm test` and for mocha by hand. */
module.exports = {
  import: ["tsx"],
  require: ["./tests/environment.ts"],
  // A backstop, for what hangs: what a test waits for has a limit of its own (tests/waits.ts).
  timeout: 30 * 60_000 * Number(process.env.PATIENCE || 1),
  forbidOnly: true,
  forbidPending: true,
};
