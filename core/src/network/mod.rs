//! Networks: address management, endpoints, published ports.
