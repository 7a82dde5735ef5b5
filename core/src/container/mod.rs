//! Containers: their specification and state machine.
