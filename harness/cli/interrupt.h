// Ctrl-C and SIGTERM: the first asks the run to finish its step and keep what it has.
#pragma once

namespace assay {

// Installs the handlers. A second signal half a second later or more ends the program at once.
void catch_interrupts();
bool interrupted();

}  // namespace assay
