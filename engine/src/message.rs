//! Messages of the Segment spec: parsing, time correction, what cannot be stored.
