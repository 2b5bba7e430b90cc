use std::collections::HashSet;

use proptest::{collection::vec, prelude::*};

use super::*;

const ONE: PersonId = PersonId::Guest(1);
const OTHER: PersonId = PersonId::Account(2);

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

#[track_caller]
fn check_names(people: &People, expected: &[&str]) {
    let names = people.after(None).map(|present| present.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), expected);
    assert_eq!(people.total(), expected.len());
}

#[test]
fn several_pages_are_one_person_who_leaves_with_the_last() {
    let (mut people, anna, now) = (People::default(), name("Anna"), Instant::now());
    assert_eq!(people.connect(&anna, ONE), Ok(Arrival::First));
    assert_eq!(people.connect(&anna, ONE), Ok(Arrival::Further(2)));
    assert_eq!(people.disconnect(ONE, now), Some(1));
    assert_eq!(people.poll_timeout(), None);
    assert_eq!(people.disconnect(ONE, now), Some(0));
    assert_eq!(people.disconnect(ONE, now), None);
    assert_eq!(people.poll_timeout(), Some(now + GRACE));
    let almost = now + GRACE - Duration::from_millis(1);
    assert_eq!(people.handle_timeout(almost), None);
    check_names(&people, &["Anna"]);
    assert_eq!(people.handle_timeout(now + GRACE), Some((ONE, anna)));
    assert_eq!(people.handle_timeout(now + GRACE), None);
    check_names(&people, &[]);
}

#[test]
fn whoever_comes_back_in_time_has_not_left() {
    let (mut people, anna, now) = (People::default(), name("Anna"), Instant::now());
    let later = now + Duration::from_secs(2);
    people.connect(&anna, ONE).unwrap();
    people.disconnect(ONE, now);
    assert_eq!(people.connect(&anna, ONE), Ok(Arrival::Further(1)));
    assert_eq!(people.handle_timeout(now + GRACE), None);
    people.disconnect(ONE, later);
    assert_eq!(people.handle_timeout(now + GRACE), None);
    assert_eq!(people.handle_timeout(later + GRACE), Some((ONE, anna)));
}

#[test]
fn a_name_belongs_to_one_person_until_they_have_left() {
    let (mut people, now) = (People::default(), Instant::now());
    let taken = Err(Taken(name("Anna")));
    assert_eq!(
        people.reserve(&name("Anna"), ONE, now + GRACE),
        Ok(name("Anna"))
    );
    assert_eq!(people.reserve(&name("anna"), OTHER, now + GRACE), taken);
    people.connect(&name("Anna"), ONE).unwrap();
    assert_eq!(people.reserve(&name("ANNA"), OTHER, now + GRACE), taken);
    assert_eq!(
        people.connect(&name("ANNA"), OTHER),
        Err(Taken(name("Anna")))
    );
    assert_eq!(people.disconnect(OTHER, now), None);
    check_names(&people, &["Anna"]);
    people.disconnect(ONE, now);
    assert_eq!(people.reserve(&name("anna"), OTHER, now + GRACE), taken);
    people.handle_timeout(now + GRACE);
    let free = people.reserve(&name("anna"), OTHER, now + 2 * GRACE);
    assert_eq!(free, Ok(name("anna")));
}

#[test]
fn who_comes_again_goes_by_the_name_they_have_here() {
    let (mut people, now) = (People::default(), Instant::now());
    people.connect(&name("Anna"), ONE).unwrap();
    assert_eq!(
        people.reserve(&name("ANNA"), ONE, now + GRACE),
        Ok(name("Anna"))
    );
    people.disconnect(ONE, now);
    assert_eq!(
        people.reserve(&name("ANNA"), ONE, now + GRACE),
        Ok(name("Anna"))
    );
    people.handle_timeout(now + GRACE);
    assert_eq!(
        people.reserve(&name("ANNA"), ONE, now + GRACE),
        Ok(name("ANNA"))
    );
}

#[test]
fn a_reserved_name_is_free_again_when_nobody_comes_in_time() {
    let (mut people, now) = (People::default(), Instant::now());
    let later = now + Duration::from_secs(1);
    people.reserve(&name("Anna"), ONE, now + GRACE).unwrap();
    people.reserve(&name("Anna"), ONE, later + GRACE).unwrap();
    check_names(&people, &[]);
    assert_eq!(people.handle_timeout(now + GRACE), None);
    people
        .reserve(&name("Anna"), OTHER, now + 2 * GRACE)
        .unwrap_err();
    assert_eq!(people.handle_timeout(later + GRACE), None);
    people
        .reserve(&name("Anna"), OTHER, later + 2 * GRACE)
        .unwrap();
}

#[test]
fn who_reserves_another_name_gives_the_first_one_back() {
    let (mut people, now) = (People::default(), Instant::now());
    people.reserve(&name("Anna"), ONE, now + GRACE).unwrap();
    people.reserve(&name("Bert"), ONE, now + GRACE).unwrap();
    people.reserve(&name("Anna"), OTHER, now + GRACE).unwrap();
    people
        .reserve(&name("Bert"), OTHER, now + GRACE)
        .unwrap_err();
}

#[test]
fn who_is_removed_is_gone_at_once_and_stays_gone() {
    let (mut people, anna, now) = (People::default(), name("Anna"), Instant::now());
    people.connect(&anna, ONE).unwrap();
    assert_eq!(people.remove(OTHER), None);
    assert_eq!(people.remove(ONE), Some(anna.clone()));
    assert_eq!(people.connect(&anna, OTHER), Ok(Arrival::First));
    assert_eq!(people.disconnect(ONE, now), None);
    assert_eq!(people.handle_timeout(now + GRACE), None);
    check_names(&people, &["Anna"]);
    people.reserve(&name("Bert"), ONE, now + GRACE).unwrap();
    assert_eq!(people.remove(ONE), None);
    people
        .reserve(&name("Bert"), PersonId::Guest(3), now + GRACE)
        .unwrap();
}

#[test]
fn another_name_frees_the_old_one() {
    let (mut people, now) = (People::default(), Instant::now());
    assert!(!people.rename(ONE, &name("Nobody")));
    people.connect(&name("Anna"), ONE).unwrap();
    assert!(people.rename(ONE, &name("Anne")));
    check_names(&people, &["Anne"]);
    people.reserve(&name("Anna"), OTHER, now + GRACE).unwrap();
    people
        .reserve(&name("ANNE"), OTHER, now + GRACE)
        .unwrap_err();
    assert!(people.rename(ONE, &name("ANNE")));
    assert_eq!(people.name_of(ONE), Some(&name("ANNE")));
}

#[test]
fn names_come_in_the_order_of_arrival() {
    let (mut people, now) = (People::default(), Instant::now());
    let [anna, bert, carla] = [1, 2, 3].map(PersonId::Account);
    for (text, id) in [("Carla", carla), ("Anna", anna), ("Bert", bert)] {
        people.connect(&name(text), id).unwrap();
    }
    people.disconnect(carla, now);
    people.connect(&name("Carla"), carla).unwrap();
    check_names(&people, &["Carla", "Anna", "Bert"]);
    people.remove(anna);
    people.connect(&name("Anna"), anna).unwrap();
    check_names(&people, &["Carla", "Bert", "Anna"]);
    let first = people.after(None).next().unwrap().arrival;
    let rest = people.after(Some(first)).map(|present| present.id);
    assert_eq!(rest.collect::<Vec<_>>(), [bert, anna]);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve(usize, usize),
    Connect(usize, usize),
    Disconnect(usize),
    Remove(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || (0..3_usize, 0..3_usize);
    prop_oneof![
        who().prop_map(|(name, person)| Step::Reserve(name, person)),
        who().prop_map(|(name, person)| Step::Connect(name, person)),
        (0..8_usize).prop_map(Step::Disconnect),
        (0..3_usize).prop_map(Step::Remove),
        (0..4_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// What others are told always agrees with which pages are open: whoever has one has come
    /// and not left, and who has had none for the time of grace has left. No two have one name.
    #[test]
    fn what_is_told_agrees_with_the_open_pages(steps in vec(step(), 1..60)) {
        let names = ["Anna", "Bert", "Carla"].map(name);
        let persons = [1, 2, 3].map(PersonId::Account);
        let (mut people, mut now) = (People::default(), Instant::now());
        let (mut open, mut here) = (Vec::new(), HashSet::new());
        for step in steps {
            match step {
                Step::Reserve(name, person) => {
                    let _ = people.reserve(&names[name], persons[person], now + GRACE);
                }
                Step::Connect(name, person) => match people.connect(&names[name], persons[person]) {
                    Ok(arrival) => {
                        open.push(persons[person]);
                        let pages = open.iter().filter(|open| **open == persons[person]).count();
                        match arrival {
                            Arrival::First => prop_assert!(here.insert(persons[person])),
                            Arrival::Further(told) => prop_assert_eq!(told, pages),
                        }
                    }
                    Err(Taken(_)) => prop_assert!(!here.contains(&persons[person])),
                },
                Step::Disconnect(index) if index < open.len() => {
                    let person = open.swap_remove(index);
                    let pages = open.iter().filter(|open| **open == person).count();
                    prop_assert_eq!(people.disconnect(person, now), Some(pages));
                }
                Step::Disconnect(_) => {}
                Step::Remove(person) => {
                    let removed = people.remove(persons[person]).is_some();
                    prop_assert_eq!(removed, here.remove(&persons[person]));
                    open.retain(|open| *open != persons[person]);
                }
                Step::Wait(ms) => {
                    now += Duration::from_millis(ms);
                    while let Some((left, _)) = people.handle_timeout(now) {
                        prop_assert!(here.remove(&left));
                        prop_assert!(!open.contains(&left));
                    }
                }
            }
            prop_assert_eq!(people.total(), here.len());
            prop_assert!(open.iter().all(|person| here.contains(person)));
            let keys: HashSet<_> = people.after(None).map(|present| present.name.key()).collect();
            prop_assert_eq!(keys.len(), here.len());
            prop_assert_eq!(people.holders.len(), people.places.len());
        }
        while let Some(person) = open.pop() {
            people.disconnect(person, now);
        }
        while people.handle_timeout(now + GRACE).is_some() {}
        check_names(&people, &[]);
        prop_assert!(people.places.is_empty() && people.holders.is_empty() && people.deadlines.is_empty());
    }
}

const THERE: NodeId = NodeId(7);
const BEYOND: NodeId = NodeId(8);

#[test]
fn pages_on_other_nodes_keep_a_person_here() {
    let (mut people, anna, now) = (People::default(), name("Anna"), Instant::now());
    let set = |people: &mut People, node, n| people.set_elsewhere(node, &anna, ONE, n, now);
    assert_eq!(set(&mut people, THERE, 0), None);
    assert_eq!(set(&mut people, THERE, 2), Some(Change::Came));
    assert_eq!(set(&mut people, THERE, 2), None);
    assert_eq!(people.connect(&anna, ONE), Ok(Arrival::Further(3)));
    assert_eq!(set(&mut people, BEYOND, 1), Some(Change::Tabs(4)));
    assert_eq!((people.pages_here(ONE), people.at(THERE)), (1, vec![ONE]));
    assert_eq!(people.here().count(), 1);
    assert_eq!(people.disconnect(ONE, now), Some(3));
    assert_eq!(people.disconnect(ONE, now), None);
    assert_eq!((people.pages_here(ONE), people.here().count()), (0, 0));
    assert_eq!(set(&mut people, THERE, 0), Some(Change::Tabs(1)));
    assert_eq!(set(&mut people, BEYOND, 0), Some(Change::Tabs(0)));
    check_names(&people, &["Anna"]);
    assert_eq!(set(&mut people, THERE, 1), Some(Change::Tabs(1)));
    assert_eq!(people.handle_timeout(now + GRACE), None);
    assert_eq!(set(&mut people, THERE, 0), Some(Change::Tabs(0)));
    let later = now + GRACE;
    assert_eq!(people.handle_timeout(later), Some((ONE, name("Anna"))));
    check_names(&people, &[]);
}

/// Two nodes that can't hear each other give one name to two people.
#[test]
fn a_name_that_two_people_have_is_the_first_ones_until_they_leave() {
    let (mut people, anna, now) = (People::default(), name("Anna"), Instant::now());
    people.connect(&anna, ONE).unwrap();
    let came = people.set_elsewhere(THERE, &anna, OTHER, 1, now);
    assert_eq!(came, Some(Change::Came));
    check_names(&people, &["Anna", "Anna"]);
    people.set_elsewhere(THERE, &anna, OTHER, 0, now);
    people.handle_timeout(now + GRACE);
    let third = PersonId::Guest(3);
    people.reserve(&anna, third, now + GRACE).unwrap_err();
    people.remove(ONE);
    people.reserve(&anna, third, now + GRACE).unwrap();
}
