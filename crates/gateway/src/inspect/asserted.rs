//! Whom a request's token names, beside whom its session belongs to.
//!
//! Either is enough. Where both are there they must agree: somebody in common, or the same account. A session of one person
//! with a token of another is an incident, and the request is nobody's.

use super::Shared;
use super::binding::Owner;
use super::journal::Journal;
use crate::config::Names;
use crate::token::Told;
use sekisho_edm::Index;
use sekisho_model::{AccountKey, AlertKind};

/// What a request's tokens say, looked up in the registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asserted {
    /// There is none.
    Nothing,
    /// It is theirs.
    Owner(Owner),
    /// One verifies and names nobody whom a register knows; or two name different persons.
    Nobody,
}

impl Asserted {
    pub(super) fn of(shared: &Shared, index: &Index, told: Told) -> Asserted {
        let owner = match told {
            Told::Nothing => return Asserted::Nothing,
            // Whoever sends it could as well send none: an ID token often expires before its session does.
            Told::Unverified => {
                shared.counters.tokens_of_nobody.add(1);
                return Asserted::Nothing;
            }
            Told::Contradiction => None,
            Told::Claim(claim) => match claim.names {
                Names::Persons(kind) => index.value_hash(kind, &claim.value).map(|value| Owner::of_value(index, value)),
                Names::Account => Some(Owner::account(shared.key.account(&claim.value))),
            },
        };
        match owner.filter(|owner| !owner.is_nobody()) {
            Some(owner) => Asserted::Owner(owner),
            None => {
                shared.counters.tokens_of_nobody.add(1);
                Asserted::Nobody
            }
        }
    }

    /// Whose a request is that comes with this session's owner; an error where the two disagree.
    fn with(&self, bound: Option<Owner>) -> Result<Option<Owner>, Disagree> {
        match (self, bound) {
            (Asserted::Nothing, bound) => Ok(bound),
            (Asserted::Owner(owner), None) => Ok(Some(owner.clone())),
            (Asserted::Owner(owner), Some(bound)) if agree(owner, &bound) => Ok(Some(bound)),
            (Asserted::Nobody, None) => Ok(None),
            (Asserted::Owner(_) | Asserted::Nobody, Some(_)) => Err(Disagree),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Disagree;

pub(super) fn agree(one: &Owner, other: &Owner) -> bool {
    let same_account = one.account.is_some() && one.account == other.account;
    same_account || one.subjects.iter().any(|subject| other.subjects.contains(subject))
}

impl Journal {
    /// Whose the response is, by the log-in that it answers, else by session and token.
    pub(super) fn owner(&self) -> Option<Owner> {
        if let Some(owner) = &self.named {
            return Some(owner.clone());
        }
        let now = self.shared.clock.now();
        let bound = self.session().and_then(|session| self.shared.bindings.owner(session, now));
        match self.asserted.with(bound) {
            Ok(owner) => owner,
            Err(Disagree) => {
                self.shared.counters.identities_disagree.add(1);
                self.shared.conflict(AlertKind::IdentitiesDisagree, self.session(), &self.transaction);
                None
            }
        }
    }

    /// The account that the request's token names.
    pub(super) fn account(&self) -> Option<AccountKey> {
        match &self.asserted {
            Asserted::Owner(owner) => owner.account,
            Asserted::Nothing | Asserted::Nobody => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sekisho_model::{RegisterId, Subject, SubjectId};

    fn person(id: u32) -> Owner {
        Owner::persons(vec![Subject { register: RegisterId(0), id: SubjectId(id) }])
    }

    #[test]
    fn a_session_and_a_token_are_each_enough_and_must_agree() {
        let staff = |byte| Owner::account(AccountKey([byte; 16]));
        assert_eq!(Asserted::Nothing.with(Some(person(1))), Ok(Some(person(1))));
        assert_eq!(Asserted::Owner(person(1)).with(None), Ok(Some(person(1))));
        assert_eq!(Asserted::Owner(person(1)).with(Some(person(1))), Ok(Some(person(1))));
        assert_eq!(Asserted::Owner(person(1)).with(Some(person(2))), Err(Disagree));
        assert_eq!(Asserted::Owner(staff(1)).with(Some(staff(1))), Ok(Some(staff(1))));
        assert_eq!(Asserted::Owner(staff(1)).with(Some(staff(2))), Err(Disagree));
        assert_eq!(Asserted::Nobody.with(None), Ok(None));
        assert_eq!(
            Asserted::Nobody.with(Some(person(1))),
            Err(Disagree),
            "a good token of a stranger beside a session"
        );
    }
}
