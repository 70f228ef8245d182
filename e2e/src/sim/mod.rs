//! A simulator of Qlik Cloud, written from the API reference alone.
