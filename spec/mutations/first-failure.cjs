// A jest reporter that ends the run at the first case that fails, and says which it was.
const { writeFileSync } = require('node:fs');
const process = require('node:process');

module.exports = class FirstFailure {
  #passed = 0;

  onTestCaseResult(_test, { status, fullName }) {
    if (status === 'passed') this.#passed++;
    if (status === 'failed') this.#end({ failed: fullName });
  }

  onTestFileResult(_test, { testExecError, failureMessage }) {
    if (testExecError) this.#end({ broken: String(failureMessage) });
  }

  onRunComplete() {
    this.#tell({});
  }

  #end(how) {
    this.#tell(how);
    process.exit(1);
  }

  #tell(how) {
    writeFileSync(process.env.SPILLWAY_MUTATION_REPORT, JSON.stringify({ passed: this.#passed, ...how }));
  }
};
