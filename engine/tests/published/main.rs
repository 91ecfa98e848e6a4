//! Scenarios that others published of how they tell who is who, in our words, and what we decide.
//! Where that differs, the scenario says why.

mod adobe;
mod mparticle;
mod scenario;
mod segment;
mod treasure_data;
